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
  ENTRY_HANDLE_OFFSET,
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
} from './layout';
import { acas, aload, astore, rload } from './atomic';
import { blockOf, drop, empty, laneOf, receiveBurst, sendable, sendBurst } from './channel';
import { lastCode, portId, setLastCode } from './context';
import { ring, wake } from './event';
import { pageOf, unitOf } from './handle';
import { held, recordDone, recordPrivate, setHeld } from './ledger';
import { claimCall, isOf, mark, replyAt, replyCount, replyOf, vacant, wakeAsker } from './reply';
import { nodeAddress, ringPop } from './ring';
import { touchStack } from './stack';

/**
 * Sends a call of 1 or 2 entries of 4 words each; their tags become its number, which is returned. A code: nothing
 * changed. FULL: no room in the channel; ERR_NO_REPLY_SLOT: this port waits for as many answers as it can.
 */
export function ask(channel: u32, address: usize, count: u32): i32 {
  for (let slot: u32 = 0; slot < replyCount(); slot++) {
    const place = replyAt(portId, slot);
    // A1 pairs with X2 in reply.ts claimCall and X3 in reply: whoever freed the slot is done with its words.
    const seen = aload(place);
    if ((seen & REPLY_STATE_MASK) != REPLY_FREE) continue;
    const call = (seen & REPLY_SEQ_MASK) | (portId << CALL_PORT_SHIFT) | slot;
    // Plain: a free slot is its port's.
    store<u32>(place + REPLY_STATUS_OFFSET, STATUS_LOST);
    store<u32>(place + REPLY_CHANNEL_OFFSET, channel);
    for (let i: u32 = 0; i < count; i++) store<u32>(address + ((<usize>i) << ENTRY_SHIFT) + ENTRY_TAG_OFFSET, call);
    // R2 pairs with X2 in reply.ts claimCall: out before anybody can receive it.
    astore(place, (seen & REPLY_SEQ_MASK) | REPLY_OUT);
    if (sendBurst(channel, address, count, count - 1) == count) return <i32>call;
    // N3 no ordering needed: nobody knows of the call.
    astore(place, seen);
    return lastCode;
  }
  return ERR_NO_REPLY_SLOT;
}

/**
 * Takes the oldest call: its entries are written at `address`, each with a reference. How many, 1 or 2. 0: there is
 * none, and `lastCode` has the reason. Calls that were cancelled meanwhile are dropped on the way.
 */
export function accept(channel: u32, address: usize): u32 {
  touchStack();
  const block = blockOf(channel);
  const lane = laneOf(block);
  while (true) {
    const node = nodeAddress(block, load<u32>(lane + LANE_INBOX_OFFSET));
    const taken = load<u32>(node + NODE_TAKEN_OFFSET);
    if (taken >= load<u32>(node + NODE_COUNT_OFFSET)) {
      empty(node);
      if (ringPop(block, lane + LANE_INBOX_OFFSET, lane + LANE_HEAD_OFFSET, 0) == EMPTY) {
        setLastCode(EMPTY);
        return 0;
      }
      wake(block + CHANNEL_NOT_FULL_OFFSET);
      continue;
    }
    const count: u32 = 1 + ((load<u32>(node + NODE_MORE_OFFSET) >>> taken) & 1);
    const entries = node + NODE_ENTRIES_OFFSET + ((<usize>taken) << ENTRY_SHIFT);
    for (let i: u32 = 0; i < count; i++) {
      // Before the mark: what is marked is taken whole.
      const handle = load<u32>(entries + ((<usize>i) << ENTRY_SHIFT) + ENTRY_HANDLE_OFFSET);
      if (held(pageOf(unitOf(handle))) + count > LEDGER_MAX) {
        setLastCode(ERR_REF_OVERFLOW);
        return 0;
      }
    }
    const call = load<u32>(entries + ENTRY_TAG_OFFSET);
    if (claimCall(call, mark(call, REPLY_SERVING))) return receiveBurst(channel, address, count);
    drop(lane, node);
  }
}

/**
 * Answers a call that this port serves with a reference of its own; without one, `handle` 0, the call fails. OK: the
 * reference went along. ERR_CALL_OVER: the asker wants it no more, and the caller keeps all that it has; other codes:
 * nothing changed.
 */
export function reply(call: u32, handle: u32, offset: u32, length: u32, status: u32): i32 {
  if (handle != 0) {
    const code = sendable(handle, offset, length);
    if (code != OK) return code;
  }
  touchStack();
  const place = replyOf(call);
  const own = mark(call, REPLY_SERVING);
  // N4 no ordering needed: the exchange decides.
  if (rload(place) == own) {
    const page = pageOf(unitOf(handle));
    const row = held(page);
    // Plain: the slot's words are this thread's while it serves.
    store<u32>(place + REPLY_HANDLE_OFFSET, handle);
    store<u32>(place + REPLY_OFFSET_OFFSET, offset);
    store<u32>(place + REPLY_LENGTH_OFFSET, length);
    store<u32>(place + REPLY_STATUS_OFFSET, status);
    if (handle != 0) {
      recordPrivate(RECORD_REPLY, page, row, place, own);
      setHeld(page, row - 1);
    }
    // X5 pairs with A6 in collect: the slot's words are visible to the asker. LP of answering, against X1 in cancel.
    if (acas(place, own, mark(call, handle == 0 ? REPLY_FAILED : REPLY_ANSWERED)) == own) {
      recordDone();
      wakeAsker(call);
      return OK;
    }
    if (handle != 0) setHeld(page, row);
    recordDone();
  }
  const cancelled = mark(call, REPLY_CANCELLED);
  // X3 pairs with A1 in ask: done with the slot's words.
  if (acas(place, cancelled, vacant(cancelled)) == cancelled) wakeAsker(call);
  return ERR_CALL_OVER;
}

/**
 * Collects the answer of a call of this port: writes {handle, offset, length, status} at `address` and frees the slot.
 * OK: the reference is the caller's, if `handle` is not 0. EMPTY: there is no answer yet. ERR_CALL_OVER,
 * ERR_REF_OVERFLOW: nothing changed.
 */
export function collect(call: u32, address: usize): i32 {
  const place = replyOf(call);
  // A6 pairs with X5 in reply: the server's words, and the reply's bytes.
  const seen = aload(place);
  const state = seen & REPLY_STATE_MASK;
  if (!isOf(call, seen) || state == REPLY_CANCELLED) return ERR_CALL_OVER;
  if (state != REPLY_ANSWERED && state != REPLY_FAILED) return EMPTY;
  const handle = state == REPLY_FAILED ? 0 : load<u32>(place + REPLY_HANDLE_OFFSET);
  const page = pageOf(unitOf(handle));
  const row = held(page);
  if (row == LEDGER_MAX) return ERR_REF_OVERFLOW;
  touchStack();
  store<u32>(address, handle);
  store<u32>(address + 4, load<u32>(place + REPLY_OFFSET_OFFSET));
  store<u32>(address + 8, load<u32>(place + REPLY_LENGTH_OFFSET));
  store<u32>(address + 12, load<u32>(place + REPLY_STATUS_OFFSET));
  if (handle != 0) {
    recordPrivate(RECORD_REPLY, page, row, place, seen);
    setHeld(page, row + 1);
  }
  // N7 no ordering needed: only this thread takes a free slot of its own.
  astore(place, vacant(seen));
  recordDone();
  return OK;
}

/**
 * Gives a call of this port up: whoever serves it is notified. OK; ERR_CALL_OVER: it is answered, and can be collected.
 */
export function cancel(call: u32): i32 {
  touchStack();
  const place = replyOf(call);
  while (true) {
    // N8 no ordering needed: the exchange decides.
    const seen = rload(place);
    const state = seen & REPLY_STATE_MASK;
    if (!isOf(call, seen) || (state != REPLY_OUT && state != REPLY_SERVING)) return ERR_CALL_OVER;
    // X1 pairs with X5 in reply: of the two one wins. LP of cancelling.
    if (acas(place, seen, (seen & ~REPLY_STATE_MASK) | REPLY_CANCELLED) != seen) continue;
    if (state == REPLY_SERVING) ring(((seen & REPLY_SERVER_MASK) >>> REPLY_SERVER_SHIFT) - 1);
    return OK;
  }
}
