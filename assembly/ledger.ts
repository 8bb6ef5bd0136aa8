// The ledger: how many references this port holds on each page, and the operation record beside it.
//
// Both are the port's own, written plainly by its thread alone (I5) until it is reaped. A record holds absolute values
// of the words a step is about to change, its kind is written last and cleared last: a reaper sets, it never adds.

import {
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RECORD_HOLDER_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RECORD_NEW_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RECORD_SEEN_OFFSET,
  PORT_RECORD_VALUE_OFFSET,
  RECORD_CUT,
  RECORD_INDEX_SHIFT,
  RECORD_NONE,
  RECORD_ROW_SHIFT,
} from './layout';
import { ledger, port } from './context';

/** References this port holds on the page. */
// @ts-ignore: decorator
@inline
export function held(page: u32): u32 {
  return load<u16>(ledger + ((<usize>page) << 1));
}

// @ts-ignore: decorator
@inline
export function setHeld(page: u32, references: u32): void {
  store<u16>(ledger + ((<usize>page) << 1), <u16>references);
}

/** Opens a record of a step on private words: the row's and the other words' values before it. */
export function recordPrivate(kind: u32, page: u32, row: u32, address: usize, value: u32): void {
  store<u32>(port + PORT_RECORD_PAGE_OFFSET, page);
  store<u32>(port + PORT_RECORD_ADDRESS_OFFSET, <u32>address);
  store<u32>(port + PORT_RECORD_VALUE_OFFSET, value);
  store<u32>(port + PORT_RECORD_KIND_OFFSET, kind | (row << RECORD_ROW_SHIFT));
}

/** Opens a record of a cut, or of one taken back, on the own open page. */
// @ts-ignore: decorator
@inline
export function recordCut(row: u32, cut: u32): void {
  store<u32>(port + PORT_RECORD_VALUE_OFFSET, cut);
  store<u32>(port + PORT_RECORD_KIND_OFFSET, RECORD_CUT | (row << RECORD_ROW_SHIFT));
}

/** Names the channel node that the following entry records are about. No record is open. */
// @ts-ignore: decorator
@inline
export function recordNode(node: usize): void {
  store<u32>(port + PORT_RECORD_ADDRESS_OFFSET, <u32>node);
}

/**
 * Opens a record of an entry between row and node: one store, so it may take the place of the entry's before, which is
 * over. The last one is closed before anything else is recorded.
 */
// @ts-ignore: decorator
@inline
export function recordEntry(kind: u32, row: u32, index: u32): void {
  store<u32>(port + PORT_RECORD_KIND_OFFSET, kind | (index << RECORD_INDEX_SHIFT) | (row << RECORD_ROW_SHIFT));
}

/**
 * Opens a record of a compare-exchange: the word seen, the word to come, and which word of the port takes what was
 * there.
 */
// @ts-ignore: decorator
@inline
export function recordExchange(kind: u32, address: usize, seen: u32, next: u32, holder: usize): void {
  store<u32>(port + PORT_RECORD_ADDRESS_OFFSET, <u32>address);
  store<u32>(port + PORT_RECORD_SEEN_OFFSET, seen);
  store<u32>(port + PORT_RECORD_NEW_OFFSET, next);
  store<u32>(port + PORT_RECORD_HOLDER_OFFSET, <u32>holder);
  store<u32>(port + PORT_RECORD_KIND_OFFSET, kind);
}

/** Closes the record: the step is over. */
// @ts-ignore: decorator
@inline
export function recordDone(): void {
  store<u32>(port + PORT_RECORD_KIND_OFFSET, RECORD_NONE);
}
