// Looking for a moment before a thread sleeps: a thread that is about to publish is faster than sleep and wake-up.
//
// At most as long as sleep and wake-up take, some 50 microseconds, which is never worse than twice the best choice
// (Karlin and others, competitive spinning, SODA 1990). Where looking did not help lately, less. The number of looks is
// limited as well: there are clocks that stand still for milliseconds.

import { monotonicMs } from '../platform/clock.js';

/** A look at the condition: its result, or undefined to go on waiting. It may throw. */
export type Probe<T> = () => T | undefined;

/** Tells the processor that this is a loop that waits, where the platform can (`Atomics.pause`). */
const { pause } = Atomics as { readonly pause?: () => void };

const LOOK_MS = 0.05;
const LOOKS_MAX = 1024;
const LOOKS_MIN = 64;
/** Looks from one reading of the clock to the next. */
const LOOKS_A_READING = 16;

/** What one thread has learned about looking for one event. */
export class Looks {
  #most = LOOKS_MAX;

  /** Looks until it helps, or for a moment: undefined then. */
  spin<T>(probe: Probe<T>): T | undefined {
    const endMs = monotonicMs() + LOOK_MS;
    for (let looks = 1; looks <= this.#most; looks++) {
      pause?.();
      const result = probe();
      if (result !== undefined) {
        this.#most = LOOKS_MAX;
        return result;
      }
      if (looks % LOOKS_A_READING === 0 && monotonicMs() >= endMs) break;
    }
    this.#most = Math.max(this.#most >> 1, LOOKS_MIN);
    return undefined;
  }
}
