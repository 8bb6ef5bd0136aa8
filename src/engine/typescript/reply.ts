// Reply slots: where a call's answer waits for its asker, and who has the call until then.
//
// A port has some slots, and its thread alone takes a free one. The word {sequence, server, state} moves by
// compare-exchange wherever two threads may want it: OUT -> SERVING by whoever has the call's entries, SERVING ->
// ANSWERED or FAILED by the server, OUT or SERVING -> CANCELLED by the asker. So of an answer and a cancellation one
// wins. Who has the entries of a call is the only one who has them: a slot that still names a dead server is taken over
// from it.

import {
  CALL_PORT_MASK,
  CALL_PORT_SHIFT,
  CALL_SLOT_MASK,
  CONTROL_BASE,
  HEADER_REPLIES_OFFSET,
  HEADER_REPLY_COUNT_OFFSET,
  REPLY_CANCELLED,
  REPLY_FAILED,
  REPLY_FREE,
  REPLY_OUT,
  REPLY_SEQ_MASK,
  REPLY_SEQ_SHIFT,
  REPLY_SERVER_SHIFT,
  REPLY_SERVING,
  REPLY_SHIFT,
  REPLY_STATE_MASK,
} from '../../../assembly/layout.js';
import { FragmentSteps } from './fragment.js';

/** The words of reply slots. */
export class ReplySteps extends FragmentSteps {
  /** Reply slots of one port. */
  protected replyCount(): number {
    return this.i32[(CONTROL_BASE + HEADER_REPLY_COUNT_OFFSET) >>> 2]!; // plain: constant
  }

  /** The slot of a port. */
  protected replyAt(id: number, slot: number): number {
    const { i32 } = this;
    // Plain: constant.
    return i32[(CONTROL_BASE + HEADER_REPLIES_OFFSET) >>> 2]! + ((id * this.replyCount() + slot) << REPLY_SHIFT);
  }

  /** The slot in which the call is answered. */
  protected replyOf(call: number): number {
    return this.replyAt((call & CALL_PORT_MASK) >>> CALL_PORT_SHIFT, call & CALL_SLOT_MASK);
  }

  /** The word of a call's slot in this port's hands. */
  protected replyWord(call: number, state: number): number {
    const { portId } = this;
    return (call & REPLY_SEQ_MASK) | ((portId + 1) << REPLY_SERVER_SHIFT) | state;
  }

  /** The word of the slot that is free again: the next sequence. */
  protected vacant(word: number): number {
    return ((word + (1 << REPLY_SEQ_SHIFT)) & REPLY_SEQ_MASK) | REPLY_FREE;
  }

  /** Whether the word is still of that call. */
  protected isOf(call: number, word: number): boolean {
    return ((call ^ word) & REPLY_SEQ_MASK) === 0;
  }

  /** Notifies the asker that something became of its call. */
  protected wakeAsker(call: number): void {
    this.ringBell((call & CALL_PORT_MASK) >>> CALL_PORT_SHIFT);
  }

  /**
   * The step of whoever has a call's entries: its word goes from OUT or SERVING to `next`; a cancelled one is free
   * then. False: the call is over, and its entries are nobody's but the caller's.
   */
  protected claimCall(call: number, next: number): boolean {
    const reply = this.replyOf(call);
    for (;;) {
      // N1 no ordering needed: the exchange decides.
      const seen = this.rload(reply);
      if (!this.isOf(call, seen)) return false;
      const state = seen & REPLY_STATE_MASK;
      const isCancelled = state === REPLY_CANCELLED;
      if (!isCancelled && state !== REPLY_OUT && state !== REPLY_SERVING) return false;
      // X2 pairs with X2 and with X1 in call.ts cancel: one of those who want the call has it. LP of taking a call.
      if (this.acas(reply, seen, isCancelled ? this.vacant(seen) : next) !== seen) continue;
      if (isCancelled) this.wakeAsker(call);
      return !isCancelled;
    }
  }

  /** A call of which this thread drops the entries: nobody will answer it. */
  protected failCall(call: number): void {
    if (this.claimCall(call, (call & REPLY_SEQ_MASK) | REPLY_FAILED)) this.wakeAsker(call);
  }
}
