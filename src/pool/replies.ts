// Replies: the waits of one thread for what becomes of its calls.
//
// A reply slot has no event of its own: whoever moves its word rings the bell of the port whose thread waits for
// it. A thread has many calls in flight, so when its bell was raised it reads their slots, and calls those waits
// alone that have something to see.

import { readBell } from '../port/bell.js';
import type { Port } from '../port/port.js';
import { Spin } from '../port/spin.js';
import type { WaitEvent, Waits } from '../port/waits.js';

/** The waits of one port for its calls. */
export class Replies {
  readonly spin: Spin = new Spin();
  readonly #port: Port;
  readonly #waits: Waits;
  /** What to call, and whether it is worth it. */
  readonly #waiting = new Map<() => void, () => boolean>();

  constructor(port: Port, waits: Waits) {
    this.#port = port;
    this.#waits = waits;
  }

  /**
   * The event that `isSo` may be so; it is asked whenever the bell was raised. With `spin` a wait spins before it
   * sleeps.
   */
  event(isSo: () => boolean, spin?: Spin): WaitEvent {
    return {
      begin: () => {},
      end: (check) => this.#waiting.delete(check),
      arm: () => readBell(this.#port),
      listen: (bell, check) => {
        this.#waiting.set(check, isSo);
        if (!this.#waits.canListen) return false;
        this.#waits.listen(bell);
        return true;
      },
      ...(spin === undefined ? {} : { spin }),
    };
  }

  /** The thread's bell was raised. */
  rung(): void {
    this.#checkAll();
    // An answer that was collected leaves a free slot, for one that waits for that and was asked before.
    this.#checkAll();
  }

  #checkAll(): void {
    for (const [check, isSo] of this.#waiting) if (this.#port.isGone || isSo()) check();
  }

  /** Every wait probes again, soon: the thread is done with the pool, or a change was announced by no bell. */
  checkAgain(): void {
    void Promise.resolve().then(() => {
      for (const check of [...this.#waiting.keys()]) check();
    });
  }
}
