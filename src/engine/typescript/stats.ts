// A port's counters: 64-bit integers that its thread alone adds to, plainly.
//
// Two int32 words each, the low one first: V8 adds to those without a conversion, where a 64-bit float costs two and a
// BigInt an allocation. A reader in another thread that comes between the two stores of a carry, once in 2^32 events,
// sees 2^32 too few.

import { EventSteps } from './event.js';

/** The port's counters. */
export class StatsSteps extends EventSteps {
  /** Counts one event. */
  protected count(counter: number): void {
    const { i32, counters } = this;
    const at = counters + (counter >>> 2);
    const low = (i32[at]! + 1) | 0;
    i32[at] = low; // plain: owner only
    if (low === 0) i32[at + 1]! += 1;
  }

  /** Counts several events. */
  protected countMany(counter: number, events: number): void {
    const { i32, counters } = this;
    const at = counters + (counter >>> 2);
    const low = (i32[at]! + events) | 0;
    i32[at] = low; // plain: owner only
    if (low >>> 0 < events) i32[at + 1]! += 1;
  }
}
