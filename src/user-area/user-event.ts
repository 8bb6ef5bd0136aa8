// The trusted side's wait on the word that an untrusted consumer raises: no oftener than the consumer could make it
// suffer.
//
// The same face as the pool's events, so that the pool's waits take it. A wake-up means nothing but that one may
// check; for a moment after each, only timers check, so a consumer that raises the word without end costs a check a
// millisecond. The consumer is no thread of this pool: nobody probes for it before sleeping. Owner only.

import { hasWaitAsync } from '../platform/capabilities.js';
import { monotonicMs } from '../platform/clock.js';
import type { WaitEvent } from '../port/waits.js';
import { USER_TAKEN_EVENT_OFFSET, USER_WANTS_OFFSET } from '../user/layout.js';

const REST_MS = 1;
/** A wait is let go after so long, whoever else waits there, and checks once more. */
const WAIT_MS = 1000;

export class UserEvent implements WaitEvent {
  readonly #i32: Int32Array;
  readonly #listeners = new Set<() => void>();
  #waits = 0;
  #isQueued = false;
  #restUntilMs = 0;

  constructor(rings: SharedArrayBuffer) {
    this.#i32 = new Int32Array(rings);
  }

  begin(): void {
    this.#waits++;
  }

  end(listener: () => void): void {
    this.#listeners.delete(listener);
    // N1 no ordering needed: one call too many costs a check.
    if (--this.#waits === 0) Atomics.store(this.#i32, USER_WANTS_OFFSET >>> 2, 0);
  }

  arm(): number {
    // X1 pairs with A1 in src/user/receiver.ts load: of this check and what the consumer does meanwhile, one sees the
    // other.
    Atomics.store(this.#i32, USER_WANTS_OFFSET >>> 2, 1);
    // A3 pairs with R3 in src/user/receiver.ts notify: a word that moves after this ends the wait.
    return Atomics.load(this.#i32, USER_TAKEN_EVENT_OFFSET >>> 2);
  }

  listen(sequence: number, listener: () => void): boolean {
    if (!this.#isQueued && !this.#queue(sequence)) return false;
    this.#listeners.add(listener);
    return true;
  }

  /**
   * Nothing more is expected of the consumer: whoever listens checks once more. The waitAsync ends by its own limit: a
   * notify would have to go through all that the consumer has queued before it.
   */
  close(): void {
    void Promise.resolve().then(this.#callListeners);
  }

  #queue(sequence: number): boolean {
    if (!hasWaitAsync() || monotonicMs() < this.#restUntilMs) return false;
    const { async, value } = Atomics.waitAsync(this.#i32, USER_TAKEN_EVENT_OFFSET >>> 2, sequence, WAIT_MS);
    this.#isQueued = true;
    void (async ? value : Promise.resolve()).then(() => {
      this.#isQueued = false;
      this.#restUntilMs = monotonicMs() + REST_MS;
      this.#callListeners();
    });
    return true;
  }

  readonly #callListeners = (): void => {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  };
}
