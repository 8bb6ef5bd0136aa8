// Replies: the waits of one thread for what becomes of its calls.
//
// A reply slot has no event of its own: whoever moves its word rings the bell of the port whose thread has to hear of
// it. A thread has many calls in flight, so when its bell was raised it looks at their slots, and calls those waits
// alone that have something to see.

import { readBell } from '../port/bell.js';
import { Looks } from '../port/looks.js';
import type { Port } from '../port/port.js';
import type { WaitEvent, Waits } from '../port/waits.js';

/** The waits of one port for its calls. */
export class Replies {
  readonly looks: Looks = new Looks();
  readonly #port: Port;
  readonly #waits: Waits;
  /** What to call, and whether it is worth it. */
  readonly #waiting = new Map<() => void, () => boolean>();

  constructor(port: Port, waits: Waits) {
    this.#port = port;
    this.#waits = waits;
  }

  /**
   * The event that `isSo` may be so; it is asked whenever the bell was raised. With `looks` a wait looks before it
   * sleeps.
   */
  event(isSo: () => boolean, looks?: Looks): WaitEvent {
    return {
      begin: () => {},
      end: (look) => this.#waiting.delete(look),
      arm: () => readBell(this.#port),
      listen: (bell, look) => {
        this.#waiting.set(look, isSo);
        if (!this.#waits.canListen) return false;
        this.#waits.listen(bell);
        return true;
      },
      ...(looks === undefined ? {} : { looks }),
    };
  }

  /** The thread's bell was raised. */
  rung(): void {
    this.#lookAll();
    // An answer that was collected leaves a free slot, for one that waits for that and was asked before.
    this.#lookAll();
  }

  #lookAll(): void {
    for (const [look, isSo] of this.#waiting) if (this.#port.isGone || isSo()) look();
  }

  /** Every wait looks again, soon: the thread is done with the pool, or something has changed that no bell tells of. */
  lookAgain(): void {
    void Promise.resolve().then(() => {
      for (const look of [...this.#waiting.keys()]) look();
    });
  }
}
