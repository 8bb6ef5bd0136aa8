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
} from './layout';
import { acas, rload } from './atomic';
import { portId } from './context';
import { ring } from './event';

/** Reply slots of one port. */
// @ts-ignore: decorator
@inline
export function replyCount(): u32 {
  return load<u32>(CONTROL_BASE + HEADER_REPLY_COUNT_OFFSET); // plain: constant
}

/** The slot of a port. */
// @ts-ignore: decorator
@inline
export function replyAt(id: u32, slot: u32): usize {
  // Plain: constant.
  const first: usize = load<u32>(CONTROL_BASE + HEADER_REPLIES_OFFSET);
  return first + <usize>((id * replyCount() + slot) << REPLY_SHIFT);
}

/** The slot in which the call is answered. */
export function replyOf(call: u32): usize {
  return replyAt((call & CALL_PORT_MASK) >>> CALL_PORT_SHIFT, call & CALL_SLOT_MASK);
}

/** The word of a call's slot in this port's hands. */
// @ts-ignore: decorator
@inline
export function mark(call: u32, state: u32): u32 {
  return (call & REPLY_SEQ_MASK) | ((portId + 1) << REPLY_SERVER_SHIFT) | state;
}

/** The word of the slot that is free again: the next sequence. */
// @ts-ignore: decorator
@inline
export function vacant(word: u32): u32 {
  return ((word + ((<u32>1) << REPLY_SEQ_SHIFT)) & REPLY_SEQ_MASK) | REPLY_FREE;
}

/** Whether the word is still of that call. */
// @ts-ignore: decorator
@inline
export function isOf(call: u32, word: u32): bool {
  return ((call ^ word) & REPLY_SEQ_MASK) == 0;
}

/** Notifies the asker that something became of its call. */
// @ts-ignore: decorator
@inline
export function wakeAsker(call: u32): void {
  ring((call & CALL_PORT_MASK) >>> CALL_PORT_SHIFT);
}

/**
 * The step of whoever has a call's entries: its word goes from OUT or SERVING to `next`; a cancelled one is free then.
 * False: the call is over, and its entries are nobody's but the caller's.
 */
export function claimCall(call: u32, next: u32): bool {
  const reply = replyOf(call);
  while (true) {
    // N1 no ordering needed: the exchange decides.
    const seen = rload(reply);
    if (!isOf(call, seen)) return false;
    const state = seen & REPLY_STATE_MASK;
    const isCancelled = state == REPLY_CANCELLED;
    if (!isCancelled && state != REPLY_OUT && state != REPLY_SERVING) return false;
    // X2 pairs with X2 and with X1 in call.ts cancel: one of those who want the call has it. LP of taking a call.
    if (acas(reply, seen, isCancelled ? vacant(seen) : next) != seen) continue;
    if (isCancelled) wakeAsker(call);
    return !isCancelled;
  }
}

/** A call of which this thread drops the entries: nobody will answer it. */
export function failCall(call: u32): void {
  if (claimCall(call, (call & REPLY_SEQ_MASK) | REPLY_FAILED)) wakeAsker(call);
}
