// Probing for a moment before a thread sleeps: a thread that is about to publish is faster than sleep and wake-up.
//
// At most as long as sleep and wake-up cost both threads in processor time, which is never worse than twice the best
// choice (Karlin and others, competitive spinning, SODA 1990). How long is learned from the sleeps: one that was over
// so soon that probes would have met its end asks for longer spinning, any other one for shorter (as a hypervisor
// learns how long to poll for a halted guest: halt_poll_ns of Linux's KVM). Where spins meet nothing however short the
// sleeps are, a thread only tries now and then: with fewer processors than threads it takes the other one's. The number
// of probes is limited as well: there are clocks that stand still for milliseconds.

import { monotonicMs } from '../platform/clock.js';

/** One check of the condition: its result, or undefined to go on waiting. It may throw. */
export type Probe<T> = () => T | undefined;

/** Lets the processor know that this is a loop that waits, where the platform can (`Atomics.pause`). */
const { pause } = Atomics as { readonly pause?: () => void };

/** How long a kind of wait may spin. */
interface SpinLimits {
  readonly mostMs: number;
  /** Where the clock stands still, and where probes are cheap. */
  readonly mostProbes: number;
  /** A sleep of at most so long had its wake-up within `mostMs`: the rest is the way to this thread. */
  readonly shortSleepMs: number;
}

/** A thread that blocks has nothing else to do. */
export const BLOCKING: SpinLimits = { mostMs: 0.05, mostProbes: 4096, shortSleepMs: 0.1 };
/** An event loop is held up while its thread spins; calls cost less processor time the sooner it sleeps. */
export const LISTENING: SpinLimits = { mostMs: 0.025, mostProbes: 1024, shortSleepMs: 0.06 };
const SPIN_MS_MIN = 0.002;
/** Probes from one reading of the clock to the next. */
const PROBES_PER_READING = 16;
/** Spins in a row that met nothing, after which a thread spins now and then only: every so many times. */
const MISSES_MAX = 8;
const MISSES_PER_TRIAL = 32;

/** What one thread has learned about spinning for one event. */
export class Spin {
  readonly #limits: SpinLimits;
  #mostMs: number;
  /** Spins in a row that met nothing. */
  #misses = 0;

  constructor(limits: SpinLimits = LISTENING) {
    this.#limits = limits;
    this.#mostMs = limits.mostMs;
  }

  /** Probes until there is a result, or for a moment, or not at all: undefined then. */
  until<T>(probe: Probe<T>): T | undefined {
    if (this.#misses++ >= MISSES_MAX && this.#misses % MISSES_PER_TRIAL !== 0) return undefined;
    const endMs = monotonicMs() + this.#mostMs;
    const { mostProbes } = this.#limits;
    for (let probes = 1; probes <= mostProbes; probes++) {
      pause?.();
      const result = probe();
      if (result !== undefined) {
        this.#misses = 0;
        return result;
      }
      if (probes % PROBES_PER_READING === 0 && monotonicMs() >= endMs) break;
    }
    return undefined;
  }

  /** What was waited for came when the thread slept, `ms` milliseconds after it went to sleep. */
  slept(ms: number): void {
    const { mostMs, shortSleepMs } = this.#limits;
    this.#mostMs = ms <= shortSleepMs ? Math.min(2 * this.#mostMs, mostMs) : Math.max(this.#mostMs / 2, SPIN_MS_MIN);
  }
}
