// Calls: requests that are answered in a reply slot of the asker's port, so that no answer ever needs a page or a ring.
//
// A call's entries, the request and perhaps the room for its place, travel as one message of a channel; their tag is
// the call's number. A reference is in the asker's row, a node, the server's row, or the slot; each move into or out of
// a slot has a record. The server marks the slot while the entries are still in its inbox: a death before leaves a call
// that goes on to another server, one after it a call that failed. Source: the provided buffers of io_uring, and tokens
// (token.ts).

import {
  CALL_PORT_SHIFT,
  CHANNEL_NOT_FULL_OFFSET,
  EMPTY,
  ENTRY_SHIFT,
  ENTRY_TAG_OFFSET,
  ERR_CALL_OVER,
  ERR_NO_REPLY_SLOT,
  ERR_REF_OVERFLOW,
  LANE_HEAD_OFFSET,
  LANE_INBOX_OFFSET,
  LEDGER_MAX,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_MORE_OFFSET,
  NODE_TAKEN_OFFSET,
  OK,
  RECORD_REPLY,
  REPLY_ANSWERED,
  REPLY_CANCELLED,
  REPLY_CHANNEL_OFFSET,
  REPLY_FAILED,
  REPLY_FREE,
  REPLY_HANDLE_OFFSET,
  REPLY_LENGTH_OFFSET,
  REPLY_OFFSET_OFFSET,
  REPLY_OUT,
  REPLY_SEQ_MASK,
  REPLY_SERVER_MASK,
  REPLY_SERVER_SHIFT,
  REPLY_SERVING,
  REPLY_STATE_MASK,
  REPLY_STATUS_OFFSET,
  STATUS_LOST,
} from '../../../assembly/layout.js';
import { TokenSteps } from './token.js';

/** Asking, serving, answering. */
export class CallSteps extends TokenSteps {
  /**
   * Sends a call of 1 or 2 entries of 4 words each; their tags become its number, which is returned. A code: nothing
   * changed. FULL: no room in the channel; ERR_NO_REPLY_SLOT: this port waits for as many answers as it can.
   */
  ask(channel: number, address: number, count: number): number {
    const { i32, portId } = this;
    for (let slot = 0; slot < this.replyCount(); slot++) {
      const place = this.replyAt(portId, slot);
      // A1 pairs with X2 in typescript/reply.ts claimCall and X3 in reply: whoever freed the slot is done with its
      // words.
      const seen = this.aload(place);
      if ((seen & REPLY_STATE_MASK) !== REPLY_FREE) continue;
      const call = (seen & REPLY_SEQ_MASK) | (portId << CALL_PORT_SHIFT) | slot;
      // Plain: a free slot is its port's.
      i32[(place + REPLY_STATUS_OFFSET) >>> 2] = STATUS_LOST;
      i32[(place + REPLY_CHANNEL_OFFSET) >>> 2] = channel;
      for (let i = 0; i < count; i++) i32[(address + (i << ENTRY_SHIFT) + ENTRY_TAG_OFFSET) >>> 2] = call;
      // R2 pairs with X2 in typescript/reply.ts claimCall: out before anybody can receive it.
      this.astore(place, (seen & REPLY_SEQ_MASK) | REPLY_OUT);
      if (this.sendBurst(channel, address, count, count - 1) === count) return call;
      // N3 no ordering needed: nobody knows of the call.
      this.astore(place, seen);
      return this.lastCode;
    }
    return ERR_NO_REPLY_SLOT;
  }

  /**
   * Takes the oldest call: its entries are written at `address`, each with a reference. How many, 1 or 2. 0: there is
   * none, and `lastCode` has the reason. Calls that were cancelled meanwhile are dropped on the way.
   */
  accept(channel: number, address: number): number {
    const { i32, touchStack } = this;
    const { block, lane, ring } = this.lanes[channel]!;
    touchStack();
    const inbox = lane + LANE_INBOX_OFFSET;
    for (;;) {
      const node = this.nodeIn(ring, inbox);
      const taken = i32[(node + NODE_TAKEN_OFFSET) >>> 2]!;
      if (taken >= i32[(node + NODE_COUNT_OFFSET) >>> 2]!) {
        this.empty(node);
        if (this.ringPop(ring, inbox, lane + LANE_HEAD_OFFSET, 0) === EMPTY) {
          this.lastCode = EMPTY;
          return 0;
        }
        this.wake(block + CHANNEL_NOT_FULL_OFFSET);
        continue;
      }
      const count = 1 + ((i32[(node + NODE_MORE_OFFSET) >>> 2]! >>> taken) & 1);
      for (let i = 0; i < count; i++) {
        // Before the mark: what is marked is taken whole.
        if (this.held(this.pageOf(this.unitOf(this.handleIn(node, taken + i)))) + count > LEDGER_MAX) {
          this.lastCode = ERR_REF_OVERFLOW;
          return 0;
        }
      }
      const call = i32[(node + NODE_ENTRIES_OFFSET + (taken << ENTRY_SHIFT) + ENTRY_TAG_OFFSET) >>> 2]!;
      if (this.claimCall(call, this.replyWord(call, REPLY_SERVING))) return this.receiveBurst(channel, address, count);
      this.drop(lane, node);
    }
  }

  /**
   * Answers a call that this port serves with a reference of its own; without one, `handle` 0, the call fails. OK: the
   * reference went along. ERR_CALL_OVER: the asker wants it no more, and the caller keeps all that it has; other codes:
   * nothing changed.
   */
  reply(call: number, handle: number, offset: number, length: number, status: number): number {
    const { i32, touchStack } = this;
    if (handle !== 0) {
      const code = this.sendable(handle, offset, length);
      if (code !== OK) return code;
    }
    touchStack();
    const place = this.replyOf(call);
    const own = this.replyWord(call, REPLY_SERVING);
    // N4 no ordering needed: the exchange decides.
    if (this.rload(place) === own) {
      const page = this.pageOf(this.unitOf(handle));
      const row = this.held(page);
      // Plain: the slot's words are this thread's while it serves.
      i32[(place + REPLY_HANDLE_OFFSET) >>> 2] = handle;
      i32[(place + REPLY_OFFSET_OFFSET) >>> 2] = offset;
      i32[(place + REPLY_LENGTH_OFFSET) >>> 2] = length;
      i32[(place + REPLY_STATUS_OFFSET) >>> 2] = status;
      if (handle !== 0) {
        this.recordPrivate(RECORD_REPLY, page, row, place, own);
        this.setHeld(page, row - 1);
      }
      const next = this.replyWord(call, handle === 0 ? REPLY_FAILED : REPLY_ANSWERED);
      // X5 pairs with A6 in collect: the slot's words are visible to the asker. LP of answering, against X1 in cancel.
      if (this.acas(place, own, next) === own) {
        this.recordDone();
        this.wakeAsker(call);
        return OK;
      }
      if (handle !== 0) this.setHeld(page, row);
      this.recordDone();
    }
    const cancelled = this.replyWord(call, REPLY_CANCELLED);
    // X3 pairs with A1 in ask: done with the slot's words.
    if (this.acas(place, cancelled, this.vacant(cancelled)) === cancelled) this.wakeAsker(call);
    return ERR_CALL_OVER;
  }

  /**
   * Collects the answer of a call of this port: writes {handle, offset, length, status} at `address` and frees the
   * slot. OK: the reference is the caller's, if `handle` is not 0. EMPTY: there is no answer yet. ERR_CALL_OVER,
   * ERR_REF_OVERFLOW: nothing changed.
   */
  collect(call: number, address: number): number {
    const { i32, touchStack } = this;
    const place = this.replyOf(call);
    // A6 pairs with X5 in reply: the server's words, and the reply's bytes.
    const seen = this.aload(place);
    const state = seen & REPLY_STATE_MASK;
    if (!this.isOf(call, seen) || state === REPLY_CANCELLED) return ERR_CALL_OVER;
    if (state !== REPLY_ANSWERED && state !== REPLY_FAILED) return EMPTY;
    const handle = state === REPLY_FAILED ? 0 : i32[(place + REPLY_HANDLE_OFFSET) >>> 2]!;
    const page = this.pageOf(this.unitOf(handle));
    const row = this.held(page);
    if (row === LEDGER_MAX) return ERR_REF_OVERFLOW;
    touchStack();
    i32[address >>> 2] = handle;
    i32[(address + 4) >>> 2] = i32[(place + REPLY_OFFSET_OFFSET) >>> 2]!;
    i32[(address + 8) >>> 2] = i32[(place + REPLY_LENGTH_OFFSET) >>> 2]!;
    i32[(address + 12) >>> 2] = i32[(place + REPLY_STATUS_OFFSET) >>> 2]!;
    if (handle !== 0) {
      this.recordPrivate(RECORD_REPLY, page, row, place, seen);
      this.setHeld(page, row + 1);
    }
    // N7 no ordering needed: only this thread takes a free slot of its own.
    this.astore(place, this.vacant(seen));
    this.recordDone();
    return OK;
  }

  /**
   * Gives a call of this port up: whoever serves it is notified. OK; ERR_CALL_OVER: it is answered, and can be
   * collected.
   */
  cancel(call: number): number {
    const { touchStack } = this;
    touchStack();
    const place = this.replyOf(call);
    for (;;) {
      // N8 no ordering needed: the exchange decides.
      const seen = this.rload(place);
      const state = seen & REPLY_STATE_MASK;
      if (!this.isOf(call, seen) || (state !== REPLY_OUT && state !== REPLY_SERVING)) return ERR_CALL_OVER;
      // X1 pairs with X5 in reply: of the two one wins. LP of cancelling.
      if (this.acas(place, seen, (seen & ~REPLY_STATE_MASK) | REPLY_CANCELLED) !== seen) continue;
      if (state === REPLY_SERVING) this.ringBell(((seen & REPLY_SERVER_MASK) >>> REPLY_SERVER_SHIFT) - 1);
      return OK;
    }
  }
}
