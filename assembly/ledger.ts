// The ledger: how many references this port holds on each page, and the operation record beside it.
//
// Both are the port's own, written plainly by its thread alone (I5) until it is reaped. A record holds absolute values of the
// words a step is about to change, its kind is written last and cleared last: a reaper sets, it never adds.

import {
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RECORD_HOLDER_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RECORD_NEW_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RECORD_ROW_OFFSET,
  PORT_RECORD_SEEN_OFFSET,
  PORT_RECORD_VALUE_OFFSET,
  RECORD_NONE,
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

/** Opens a record of a step on private words: the row's and the other word's values before it. */
// @ts-ignore: decorator
@inline
export function recordPrivate(kind: u32, page: u32, row: u32, address: usize, value: u32): void {
  store<u32>(port + PORT_RECORD_PAGE_OFFSET, page);
  store<u32>(port + PORT_RECORD_ROW_OFFSET, row);
  store<u32>(port + PORT_RECORD_ADDRESS_OFFSET, <u32>address);
  store<u32>(port + PORT_RECORD_VALUE_OFFSET, value);
  store<u32>(port + PORT_RECORD_KIND_OFFSET, kind);
}

/** The same out of line, for slow tiers. */
export function recordSlow(kind: u32, page: u32, row: u32, address: usize, value: u32): void {
  recordPrivate(kind, page, row, address, value);
}

/** Opens a record of a compare-exchange: the word seen, the word to come, and which word of the port takes what was there. */
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
