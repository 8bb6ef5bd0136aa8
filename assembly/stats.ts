// A port's counters: 64-bit integers that its thread alone adds to, plainly.
//
// Readers in other threads may see a value one step old. They lie beside the cache's words, which the same operations
// touch anyway. One event, one place.

import { PORT_COUNTERS_OFFSET } from './layout';
import { port } from './context';

/** Counts one event. */
// @ts-ignore: decorator
@inline
export function count(counter: u32): void {
  // Plain: owner only; an aligned 8-byte store is not torn on the machines that V8, JSC and SpiderMonkey run on.
  store<u64>(port + PORT_COUNTERS_OFFSET + counter, load<u64>(port + PORT_COUNTERS_OFFSET + counter) + 1);
}

/** Counts several events. */
// @ts-ignore: decorator
@inline
export function countMany(counter: u32, events: u32): void {
  store<u64>(port + PORT_COUNTERS_OFFSET + counter, load<u64>(port + PORT_COUNTERS_OFFSET + counter) + <u64>events);
}
