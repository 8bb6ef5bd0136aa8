// Replies: the waits of one thread for the answers of its calls, behind the one eventcount of its port.
//
// A thread has many calls in flight, and each answer raises the same event. So one listener hears of it, looks at the
// slots, and calls those waits alone whose call is over.

import { REPLY_OUT, REPLY_SEQ_MASK, REPLY_SERVING, REPLY_STATE_MASK } from '../../assembly/layout.js';
import { replyOfCall } from '../control/calls.js';
import { loadWord } from '../control/nodes.js';
import type { EventCount, WaitEvent } from '../port/eventcount.js';
import type { Looks } from '../port/looks.js';
import type { Port } from '../port/port.js';

/** The waits of a port, by the number of their call. */
export class Replies {
  readonly called: EventCount;
  readonly #port: Port;
  readonly #listeners = new Map<number, () => void>();

  /** @param called raised when something became of a call of the port */
  constructor(port: Port, called: EventCount) {
    this.#port = port;
    this.called = called;
  }

  /** The event that the call is over. */
  of(call: number): WaitEvent {
    return new ReplyEvent(this, call);
  }

  listen(sequence: number, call: number, listener: () => void): boolean {
    this.#listeners.set(call, listener);
    return this.called.listen(sequence, this.#tell);
  }

  forget(call: number): void {
    this.#listeners.delete(call);
  }

  readonly #tell = (): void => {
    const sequence = this.called.arm();
    for (const [call, listener] of this.#listeners) {
      if (!this.#isOver(call)) continue;
      this.#listeners.delete(call);
      listener();
    }
    if (this.#listeners.size > 0) this.called.listen(sequence, this.#tell);
  };

  /** Whether nobody will write the call's slot any more. */
  #isOver(call: number): boolean {
    const { geometry, isGone, memory } = this.#port;
    if (isGone) return true;
    const word = loadWord(memory, replyOfCall(geometry, call));
    const state = word & REPLY_STATE_MASK;
    return ((word ^ call) & REPLY_SEQ_MASK) !== 0 || (state !== REPLY_OUT && state !== REPLY_SERVING);
  }
}

/** What the wait for one call asks of its event. */
class ReplyEvent implements WaitEvent {
  readonly looks: Looks;
  readonly #replies: Replies;
  readonly #call: number;

  constructor(replies: Replies, call: number) {
    this.looks = replies.called.looks;
    this.#replies = replies;
    this.#call = call;
  }

  begin(): void {
    this.#replies.called.begin();
  }

  end(): void {
    this.#replies.forget(this.#call);
    this.#replies.called.end();
  }

  arm(): number {
    return this.#replies.called.arm();
  }

  listen(sequence: number, listener: () => void): boolean {
    return this.#replies.listen(sequence, this.#call, listener);
  }
}
