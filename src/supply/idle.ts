// Idling: what circulates and is used by nobody goes back to its provider, where the provider asks for that.
//
// The owner's thread only, on a timer that keeps no program alive.

import {
  CONTROL_BASE,
  COUNTER_FAST,
  COUNTER_FRAGMENTS,
  COUNTER_RECYCLED,
  COUNTER_REFILL,
  COUNTER_RELEASED_REFCNT,
  COUNTER_SLOW,
  HEADER_REAPS_OFFSET,
  STATE_ACTIVE,
} from '../../assembly/layout.js';
import type { SharedWords } from '../control/claims.js';
import { press } from '../control/ending.js';
import { counterSum, loadWord } from '../control/nodes.js';
import { announce, poolState } from '../control/state.js';
import { hasTimers, startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';

/** What a port counts when it takes a page, and when it lets one go for good. */
const ACTIVITY = [
  COUNTER_FAST,
  COUNTER_SLOW,
  COUNTER_REFILL,
  COUNTER_FRAGMENTS,
  COUNTER_RECYCLED,
  COUNTER_RELEASED_REFCNT,
] as const;

/** Checks whether a pool is idle, again and again. */
export class IdleWatch {
  readonly #words: SharedWords;
  readonly #idleMs: number;
  readonly #trim: (isFirst: boolean) => void;
  #timer: Timer | undefined;
  #activity = -1;
  #trims = 0;

  /** @param trim retires what lies idle; `isFirst`: also what was fed and not taken. It must not throw. */
  constructor(words: SharedWords, idleMs: number, trim: (isFirst: boolean) => void) {
    this.#words = words;
    this.#idleMs = idleMs;
    this.#trim = trim;
  }

  start(): void {
    if (!hasTimers()) return;
    this.#timer = startTimer(() => {
      this.#check();
      if (this.#timer !== undefined) this.start();
    }, this.#idleMs);
  }

  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    const { memory } = this.#words;
    // Allocations and last releases of all ports, ever, and deaths: what the dead held is released.
    const activity = counterSum(this.#words, ACTIVITY) + loadWord(memory, CONTROL_BASE + HEADER_REAPS_OFFSET);
    this.#trims = activity === this.#activity ? this.#trims + 1 : 0;
    this.#activity = activity;
    if (this.#trims < 1 || poolState(memory) !== STATE_ACTIVE) return;
    // The first check asks idle threads for their caches, the second takes what they returned. Then it is quiet, but
    // for what a busy thread returns by and by, and for pages whose last pin is undone: nothing counts those.
    const isAsking = this.#trims <= 2;
    if (isAsking) press(this.#words);
    if (isAsking) announce(memory);
    this.#trim(isAsking);
  }
}
