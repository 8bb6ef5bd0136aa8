// The ledger: how many references this port holds on each page, and the operation record beside it.
//
// Both are the port's own, written plainly by its thread alone (I5) until it is reaped. A record holds absolute values
// of the words a step is about to change, its kind is written last and cleared last: a reaper sets, it never adds.

import {
  EXCHANGE_ADDRESS_OFFSET,
  EXCHANGE_HOLDER_OFFSET,
  EXCHANGE_NEW_OFFSET,
  EXCHANGE_SEEN_OFFSET,
  PORT_EXCHANGES_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RECORD_VALUE_OFFSET,
  PORT_TURN_OFFSET,
  RECORD_CUT,
  RECORD_EXCHANGE,
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
 * there. Which of both records it is: what PORT_TURN_OFFSET has.
 */
// @ts-ignore: decorator
@inline
export function recordExchange(address: usize, seen: u32, next: u32, holder: usize): u32 {
  const turn = load<u32>(port + PORT_TURN_OFFSET);
  const record = port + PORT_EXCHANGES_OFFSET + turn;
  // Others read the first two words. Without the first store they could take an earlier word for one of this address.
  store<u32>(record + EXCHANGE_ADDRESS_OFFSET, 0);
  store<u32>(record + EXCHANGE_SEEN_OFFSET, seen);
  store<u32>(record + EXCHANGE_ADDRESS_OFFSET, <u32>address);
  store<u32>(record + EXCHANGE_NEW_OFFSET, next);
  store<u32>(record + EXCHANGE_HOLDER_OFFSET, <u32>holder);
  store<u32>(port + PORT_RECORD_KIND_OFFSET, RECORD_EXCHANGE | (turn << RECORD_INDEX_SHIFT));
  return turn;
}

/** Closes the record: the step is over. */
// @ts-ignore: decorator
@inline
export function recordDone(): void {
  store<u32>(port + PORT_RECORD_KIND_OFFSET, RECORD_NONE);
}
