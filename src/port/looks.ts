// Looking for a moment before a thread sleeps: a thread that is about to publish is faster than sleep and wake-up.
//
// At most as long as sleep and wake-up cost both threads in processor time, which is never worse than twice the best
// choice (Karlin and others, competitive spinning, SODA 1990). How long is learned from the sleeps: one that was over
// so soon that looking would have met its end asks for longer looks, any other one for shorter ones (as a hypervisor
// learns how long to poll for a halted guest: halt_poll_ns of Linux's KVM). The number of looks is limited as well:
// there are clocks that stand still for milliseconds.

import { monotonicMs } from '../platform/clock.js';

/** A look at the condition: its result, or undefined to go on waiting. It may throw. */
export type Probe<T> = () => T | undefined;

/** Tells the processor that this is a loop that waits, where the platform can (`Atomics.pause`). */
const { pause } = Atomics as { readonly pause?: () => void };

const LOOK_MS = 0.025;
const LOOK_MS_MIN = 0.002;
/** A sleep that is over after so long had its wake-up within `LOOK_MS`: what is more of it is the way to this thread. */
const SHORT_SLEEP_MS = 0.06;
const LOOKS_MAX = 1024;
/** Looks from one reading of the clock to the next. */
const LOOKS_A_READING = 16;

/** What one thread has learned about looking for one event. */
export class Looks {
  #mostMs = LOOK_MS;

  /** Looks until it helps, or for a moment: undefined then. */
  spin<T>(probe: Probe<T>): T | undefined {
    const endMs = monotonicMs() + this.#mostMs;
    for (let looks = 1; looks <= LOOKS_MAX; looks++) {
      pause?.();
      const result = probe();
      if (result !== undefined) return result;
      if (looks % LOOKS_A_READING === 0 && monotonicMs() >= endMs) break;
    }
    return undefined;
  }

  /** What was looked for came when the thread slept, `ms` milliseconds after it began to wait. */
  slept(ms: number): void {
    const isShort = ms <= SHORT_SLEEP_MS;
    this.#mostMs = isShort ? Math.min(2 * this.#mostMs, LOOK_MS) : Math.max(this.#mostMs / 2, LOOK_MS_MIN);
  }
}
