// Calls of a port whose thread leaves, or is gone: each is settled, and none is dropped in silence.
//
// What the port was serving fails, what it was asking for is given up, what is still whole in its inbox goes on to
// another server. Steps of the port's own thread when it detaches, and of its reaper; a reaper that dies is followed by
// one that begins anew. While a message is moved on, its slot names this port: a death in the middle is seen then.

import {
  CALL_PORT_SHIFT,
  OK,
  PORT_BELL_OFFSET,
  REPLY_ANSWERED,
  REPLY_BYTES,
  REPLY_CANCELLED,
  REPLY_FAILED,
  REPLY_FREE,
  REPLY_OUT,
  REPLY_SEQ_MASK,
  REPLY_SEQ_SHIFT,
  REPLY_SERVER_MASK,
  REPLY_SERVER_SHIFT,
  REPLY_SERVING,
  REPLY_STATE_MASK,
} from '../../assembly/layout.js';
import type { Seat } from './claims.js';
import type { Geometry } from './geometry.js';
import { portOffset } from './places.js';
import type { Steps } from './steps.js';

/** The port that acts, or for which its reaper does. */
type Leaver = Omit<Seat, 'claim'>;

/** Where the slot of a port lies. */
export function replyOffset({ repliesOffset, replyCount }: Geometry, id: number, slot: number): number {
  return repliesOffset + (id * replyCount + slot) * REPLY_BYTES;
}

/** The port that asked. */
export function askerOf(call: number): number {
  return (call >>> CALL_PORT_SHIFT) & 0x3f;
}

/** The slot's word of a call, as it is in a server's hands. */
export function servedWord(call: number, id: number, state: number): number {
  return (call & REPLY_SEQ_MASK) | ((id + 1) << REPLY_SERVER_SHIFT) | state;
}

/** Where the slot of a call lies. */
export function replyOfCall(geometry: Geometry, call: number): number {
  return replyOffset(geometry, askerOf(call), call & 0x3f);
}

/** The slot is free again: the next sequence. */
function vacant(word: number): number {
  return ((word + (1 << REPLY_SEQ_SHIFT)) & REPLY_SEQ_MASK) | REPLY_FREE;
}

function* load({ memory }: Leaver, address: number): Steps<number> {
  yield;
  // N1 no ordering needed: an exchange decides.
  return Atomics.load(memory.i32, address >>> 2);
}

/** True: the word was the one seen. */
function* exchange({ memory }: Leaver, address: number, seen: number, next: number): Steps<boolean> {
  yield;
  // X2 pairs with X1 in assembly/call.ts cancel and X2 in assembly/reply.ts claimCall: one of those who want it has it.
  return Atomics.compareExchange(memory.i32, address >>> 2, seen, next) === seen;
}

/** Rings a port's bell: its thread checks its calls. */
function* wake({ geometry, memory }: Leaver, id: number): Steps<void> {
  const bell = (portOffset(geometry, id) + PORT_BELL_OFFSET) >>> 2;
  yield;
  // R3 pairs with A1 in src/port/bell.ts readBell: what was changed is visible to whoever finds the bell raised.
  Atomics.add(memory.i32, bell, 1);
  yield;
  // N4 no ordering needed: the bell was raised before.
  Atomics.notify(memory.i32, bell);
}

/**
 * The step of whoever has a call's entries: the slot names the port from here on. False: the call is over, and its
 * entries are nobody's but the caller's.
 */
export function* takeCall(leaver: Leaver, call: number): Steps<boolean> {
  const reply = replyOfCall(leaver.geometry, call);
  for (;;) {
    const seen = yield* load(leaver, reply);
    if (((call ^ seen) & REPLY_SEQ_MASK) !== 0) return false;
    const state = seen & REPLY_STATE_MASK;
    const isCancelled = state === REPLY_CANCELLED;
    if (!isCancelled && state !== REPLY_OUT && state !== REPLY_SERVING) return false;
    const next = isCancelled ? vacant(seen) : servedWord(call, leaver.id, REPLY_SERVING);
    if (!(yield* exchange(leaver, reply, seen, next))) continue;
    if (isCancelled) yield* wake(leaver, askerOf(call));
    return !isCancelled;
  }
}

/** A call whose entries went on, or are still whole in the inbox: nobody serves it. */
export function* unmarkCall(leaver: Leaver, call: number): Steps<void> {
  const word = servedWord(call, leaver.id, REPLY_SERVING);
  yield* exchange(leaver, replyOfCall(leaver.geometry, call), word, (call & REPLY_SEQ_MASK) | REPLY_OUT);
}

/** A call that the port served, by its slot: it failed, or is free where it was cancelled. */
export function* letGoOfCall(leaver: Leaver, reply: number, asker: number): Steps<void> {
  for (;;) {
    const seen = yield* load(leaver, reply);
    if ((seen & REPLY_SERVER_MASK) >>> REPLY_SERVER_SHIFT !== leaver.id + 1) return;
    const state = seen & REPLY_STATE_MASK;
    if (state !== REPLY_SERVING && state !== REPLY_CANCELLED) return;
    const next = state === REPLY_CANCELLED ? vacant(seen) : (seen & ~REPLY_STATE_MASK) | REPLY_FAILED;
    if (!(yield* exchange(leaver, reply, seen, next))) continue;
    yield* wake(leaver, asker);
    return;
  }
}

/** Every call that the port served. */
export function* letGoOfAll(leaver: Leaver): Steps<void> {
  const { maxPorts, replyCount } = leaver.geometry;
  for (let asker = 0; asker < maxPorts; asker++) {
    for (let slot = 0; slot < replyCount; slot++) {
      yield* letGoOfCall(leaver, replyOffset(leaver.geometry, asker, slot), asker);
    }
  }
}

/**
 * Gives up what the port has asked for: what is answered is released. A call that somebody serves stays cancelled until
 * that one lets go of it: it may be writing the slot's words. `scratch`: where an entry may be written.
 */
export function* giveUpAll(leaver: Leaver, scratch: number): Steps<void> {
  for (let slot = 0; slot < leaver.geometry.replyCount; slot++) yield* giveUp(leaver, slot, scratch);
}

function* giveUp(leaver: Leaver, slot: number, scratch: number): Steps<void> {
  const { geometry, id, memory } = leaver;
  const reply = replyOffset(geometry, id, slot);
  for (;;) {
    const seen = yield* load(leaver, reply);
    const state = seen & REPLY_STATE_MASK;
    const server = (seen & REPLY_SERVER_MASK) >>> REPLY_SERVER_SHIFT;
    if (state === REPLY_FREE || (state === REPLY_CANCELLED && server !== 0)) return;
    if (state === REPLY_ANSWERED) {
      const call = (seen & REPLY_SEQ_MASK) | (id << CALL_PORT_SHIFT) | slot;
      if ((yield { call: ['collect', call, scratch] }) === OK) {
        yield { call: ['release', memory.u32[scratch >>> 2] as number] };
      }
      return;
    }
    const isServed = state === REPLY_SERVING;
    const next = isServed ? (seen & ~REPLY_STATE_MASK) | REPLY_CANCELLED : vacant(seen);
    if (!(yield* exchange(leaver, reply, seen, next))) continue;
    if (isServed) yield* wake(leaver, server - 1);
    return;
  }
}
