// Probing for a moment before a thread sleeps: a thread that is about to publish is faster than sleep and wake-up.
//
// At most as long as sleep and wake-up take, some 50 microseconds, which is never worse than twice the best choice
// (Karlin and others, competitive spinning, SODA 1990). Where that did not help lately, less. The number of probes is
// limited as well: there are clocks that stand still for milliseconds.

import { monotonicMs } from '../platform/clock.js';

/** One check of the condition: its result, or undefined to go on waiting. It may throw. */
export type Probe<T> = () => T | undefined;

/** Lets the processor know that this is a loop that waits, where the platform can (`Atomics.pause`). */
const { pause } = Atomics as { readonly pause?: () => void };

const SPIN_MS = 0.05;
const PROBES_MAX = 1024;
const PROBES_MIN = 64;
/** Probes from one reading of the clock to the next. */
const PROBES_PER_READING = 16;

/** What one thread has learned about spinning for one event. */
export class Spin {
  #most = PROBES_MAX;

  /** Probes until there is a result, or for a moment: undefined then. */
  until<T>(probe: Probe<T>): T | undefined {
    const endMs = monotonicMs() + SPIN_MS;
    for (let probes = 1; probes <= this.#most; probes++) {
      pause?.();
      const result = probe();
      if (result !== undefined) {
        this.#most = PROBES_MAX;
        return result;
      }
      if (probes % PROBES_PER_READING === 0 && monotonicMs() >= endMs) break;
    }
    this.#most = Math.max(this.#most >> 1, PROBES_MIN);
    return undefined;
  }
}
