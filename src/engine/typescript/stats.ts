// A port's counters: 64-bit floats that its thread alone adds to, plainly.

import { EventSteps } from './event.js';

/** The port's counters. */
export class StatsSteps extends EventSteps {
  /** Counts one event. */
  protected count(counter: number): void {
    const { f64, counters } = this;
    // Plain: owner only.
    f64[(counters + counter) >>> 3]! += 1;
  }

  /** Counts several events. */
  protected countMany(counter: number, events: number): void {
    const { f64, counters } = this;
    f64[(counters + counter) >>> 3]! += events;
  }
}
