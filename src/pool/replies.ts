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
 * What one wait waits for, in the list of those that listen. A class, and a list without a Map: each call makes one,
 * and the tables of a Map that went keep each other, and all that they had, until the old space is collected.
 */
class ReplyEvent implements WaitEvent {
  readonly isSo: () => boolean;
  readonly spin: Spin | undefined;
  readonly #replies: Replies;
  check: (() => void) | undefined;
  before: ReplyEvent | undefined;
  after: ReplyEvent | undefined;

  constructor(replies: Replies, isSo: () => boolean, spin: Spin | undefined) {
    this.#replies = replies;
    this.isSo = isSo;
    this.spin = spin;
  }

  begin(): void {}

  end(): void {
    this.#replies.remove(this);
  }

  arm(): number {
    return this.#replies.readBell();
  }

  listen(bell: number, check: () => void): boolean {
    return this.#replies.add(this, bell, check);
  }
}

/** The waits of one port for its calls. */
export class Replies {
  readonly spin: Spin = new Spin();
  readonly #port: Port;
  readonly #waits: Waits;
  /** Those that listen, in their order. */
  #first: ReplyEvent | undefined;
  #last: ReplyEvent | undefined;

  constructor(port: Port, waits: Waits) {
    this.#port = port;
    this.#waits = waits;
  }

  /**
   * The event that `isSo` may be so; it is asked whenever the bell was raised. With `spin` a wait spins before it
   * sleeps.
   */
  event(isSo: () => boolean, spin?: Spin): WaitEvent {
    return new ReplyEvent(this, isSo, spin);
  }

  /** For its waits. */
  readBell(): number {
    return readBell(this.#port);
  }

  /** For its waits: `check` is called when it may be so. False where only a timer can find out. */
  add(event: ReplyEvent, bell: number, check: () => void): boolean {
    if (event.check === undefined) {
      event.check = check;
      event.before = this.#last;
      if (this.#last === undefined) this.#first = event;
      else this.#last.after = event;
      this.#last = event;
    }
    if (!this.#waits.canListen) return false;
    this.#waits.listen(bell);
    return true;
  }

  /** For its waits: this one is over. */
  remove(event: ReplyEvent): void {
    const { before, after } = event;
    if (event.check === undefined) return;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // One that is over keeps none that came later.
    event.check = event.before = event.after = undefined;
  }

  /** The thread's bell was raised. */
  rung(): void {
    this.#checkAll(false);
    // An answer that was collected leaves a free slot, for one that waits for that and was asked before.
    this.#checkAll(false);
  }

  #checkAll(isSure: boolean): void {
    const due: (() => void)[] = [];
    for (let each = this.#first; each?.check !== undefined; each = each.after) {
      if (isSure || this.#port.isGone || each.isSo()) due.push(each.check);
    }
    for (const check of due) check();
  }

  /** Every wait probes again, soon: the thread is done with the pool, or a change was announced by no bell. */
  checkAgain(): void {
    void Promise.resolve().then(() => this.#checkAll(true));
  }
}
