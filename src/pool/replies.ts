// Replies: the waits of one thread for what becomes of its calls.
//
// A reply slot has no event of its own: whoever moves its word rings the bell of the port whose thread waits for
// it. A thread has many calls in flight, so when its bell was raised it reads their slots, and calls those waits
// alone that have something to see.

import { readBell } from '../port/bell.js';
import type { Port } from '../port/port.js';
import { Spin } from '../port/spin.js';
import type { WaitEvent, Waits } from '../port/waits.js';

/**
 * What one wait waits for, in the list of those that listen; one that does not is a list of its own. A class, and a
 * list without a Map: each call makes one, and the tables of a Map that went keep each other, and all that they had,
 * until the old space is collected.
 */
class ReplyEvent implements WaitEvent {
  readonly isSo: () => boolean;
  readonly spin: Spin | undefined;
  readonly #replies: Replies;
  check: (() => void) | undefined;
  before: ReplyEvent = this;
  after: ReplyEvent = this;

  constructor(replies: Replies, isSo: () => boolean, spin?: Spin) {
    this.#replies = replies;
    this.isSo = isSo;
    this.spin = spin;
  }

  begin(check: () => void): void {
    this.check = check;
  }

  end(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    // One that is over keeps none that came later.
    this.before = this.after = this;
  }

  arm(): number {
    return readBell(this.#replies.port);
  }

  listen(bell: number): boolean {
    const { ends, waits } = this.#replies;
    if (this.after === this) {
      this.before = ends.before;
      this.after = ends;
      ends.before = this.before.after = this;
    }
    if (waits.canListen) waits.listen(bell);
    return waits.canListen;
  }
}

/** The waits of one port for its calls. */
export class Replies {
  readonly spin: Spin = new Spin();
  readonly port: Port;
  readonly waits: Waits;
  /** Before the first of those that listen, and behind the last one. */
  readonly ends = new ReplyEvent(this, () => false);

  constructor(port: Port, waits: Waits) {
    this.port = port;
    this.waits = waits;
  }

  /**
   * The event that `isSo` may be so; it is asked whenever the bell was raised. With `spin` a wait spins before it
   * sleeps.
   */
  event(isSo: () => boolean, spin?: Spin): WaitEvent {
    return new ReplyEvent(this, isSo, spin);
  }

  /** The thread's bell was raised. */
  rung(): void {
    this.#checkAll(false);
    // An answer that was collected leaves a free slot, for one that waits for that and was asked before.
    this.#checkAll(false);
  }

  #checkAll(isSure: boolean): void {
    const due: ReplyEvent[] = [];
    for (let each = this.ends.after; each !== this.ends; each = each.after) {
      if (isSure || this.port.isGone || each.isSo()) due.push(each);
    }
    for (const each of due) each.check?.();
  }

  /** Every wait probes again, soon: the thread is done with the pool, or a change was announced by no bell. */
  checkAgain(): void {
    void Promise.resolve().then(() => this.#checkAll(true));
  }
}
