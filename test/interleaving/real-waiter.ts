// How one thread waits, as the explorer's threads run it.
//
// What is called is the shipped code: src/port/bell.ts, and the engine. The order in which PoolEvent and Waits
// (src/port/waits.ts), Takers (src/port/takers.ts) and AsyncWait (src/port/waiting.ts) call it, around promises and
// timers, is written out here: each function names the method whose order it has. To sleep is a call of its own, which
// goes on when the bell has moved, or when the wait is given up.

import {
  CHANNEL_CLOSED_OFFSET,
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  ERR_NO_TOKEN,
  FULL,
  OK,
} from '../../assembly/layout.js';
import type { Seat } from '../../src/control/claims.js';
import type { ChannelGeometry } from '../../src/control/geometry.js';
import { hasFreePages, hasFreeToken } from '../../src/control/nodes.js';
import type { Engine } from '../../src/engine/engine.js';
import {
  type Awaited,
  arm,
  beginTaking,
  bellIndex,
  disarm,
  endTaking,
  FREED,
  isTakerFree,
  readBell,
  settle,
  TAKER_FREE,
  TOKENS,
} from '../../src/port/bell.js';

/** What a wait brought: something, or one of these. */
export const GIVEN_UP = -1;
export const CLOSED = -2;

/** An engine, and the sleep of its thread: 0 when the word has moved, 1 when the wait is given up. */
type WaiterEngine = Engine & { sleep(index: number, seen: number): number };

export type Kind = 'entries' | 'room' | 'pages' | 'tokens' | 'taker';

const OF_POOL: Partial<Record<Kind, number>> = { pages: FREED, tokens: TOKENS, taker: TAKER_FREE };

/** One event as one thread of the model waits there. */
export class ModelEvent implements Awaited {
  readonly offset: number;
  isArmed = false;
  isArmedForSeveral = false;
  owes = false;
  /** How many units it waits for. */
  units = 1;
  readonly engine: WaiterEngine;
  readonly kind: Kind;
  readonly seat: Seat;

  constructor(engine: WaiterEngine, kind: Kind, seat: Seat) {
    this.engine = engine;
    this.kind = kind;
    this.seat = seat;
    const ofChannel = kind === 'room' ? CHANNEL_NOT_FULL_OFFSET : CHANNEL_NOT_EMPTY_OFFSET;
    this.offset = OF_POOL[kind] ?? (seat.geometry.channels[0] as ChannelGeometry).offset + ofChannel;
  }

  isLeft(): boolean {
    const { engine, seat } = this;
    if (this.kind === 'tokens') return hasFreeToken(seat);
    if (this.kind === 'taker') return isTakerFree(seat.memory);
    if (this.kind === 'pages') return engine.hasPages() !== 0;
    if (this.kind === 'room') return engine.canSend(0, 1) !== 0;
    return engine.canReceive(0) !== 0;
  }
}

/** What the thread takes when it finds something. */
export interface Wanted {
  /** Where an entry is written. */
  readonly address: number;
  /** What is sent where there is room, or lent where there is a token. */
  readonly handle: number;
  readonly tag: number;
  /** It only looks, as waitSync and waitRoom do: the next call takes. */
  readonly isPeek: boolean;
}

/** The call that is waited for: above 0 when it brought something. */
function take(seat: Seat, engine: WaiterEngine, event: ModelEvent, wanted: Wanted): number {
  if (event.kind === 'pages') return engine.alloc();
  if (event.kind === 'tokens') return engine.lend(wanted.handle, 0, 0, 0) === ERR_NO_TOKEN ? 0 : 1;
  if (wanted.isPeek) return event.isLeft() ? 1 : 0;
  if (event.kind === 'room') {
    const code = engine.send(0, wanted.handle, 0, 0, wanted.tag);
    if (code === FULL) return 0;
    return code === OK ? 1 : CLOSED;
  }
  const closed = ((seat.geometry.channels[0] as ChannelGeometry).offset + CHANNEL_CLOSED_OFFSET) >>> 2;
  // As Channel.next asks: closed first.
  const isClosed = Atomics.load(seat.memory.i32, closed);
  const came = engine.receiveBurst(0, wanted.address, 1);
  if (came > 0) return came;
  return isClosed === 0 ? 0 : CLOSED;
}

/** AsyncWait.look with PoolEvent.arm and listen, and PoolEvent.block: until something came, or the wait is given up. */
export function waitFor(seat: Seat, engine: WaiterEngine, event: ModelEvent, wanted: Wanted): number {
  const isForPages = event.kind === 'pages';
  let got = 0;
  if (isForPages) engine.park();
  for (;;) {
    const bell = readBell(seat);
    arm(engine, event, false);
    got = take(seat, engine, event, wanted);
    if (got !== 0) break;
    event.owes = false;
    if (isForPages) engine.park();
    if (engine.sleep(bellIndex(seat), bell) !== 0) {
      got = GIVEN_UP;
      break;
    }
  }
  disarm(engine, event);
  if (isForPages) engine.unpark();
  // Whoever only looked takes now, and settles afterwards.
  if (!wanted.isPeek || got < 0) settle(engine, event);
  return got;
}

/** Waits.#hear with two events: takes whichever comes first, and leaves both. 1: of the first; 2: of the second. */
export function waitForEither(
  seat: Seat,
  engine: WaiterEngine,
  first: ModelEvent,
  second: ModelEvent,
  wanted: Wanted,
): number {
  let got = 0;
  engine.park();
  for (;;) {
    const bell = readBell(seat);
    arm(engine, first, false);
    if (take(seat, engine, first, wanted) > 0) got = 1;
    if (got !== 0) break;
    first.owes = false;
    arm(engine, second, false);
    if (take(seat, engine, second, wanted) > 0) got = 2;
    if (got !== 0) break;
    second.owes = false;
    engine.park();
    if (engine.sleep(bellIndex(seat), bell) !== 0) {
      got = GIVEN_UP;
      break;
    }
  }
  disarm(engine, first);
  disarm(engine, second);
  engine.unpark();
  settle(engine, first);
  settle(engine, second);
  return got;
}

/** AsyncWait.look with the event of Takers: `count` pages at one time, whose handles are written at `address`. */
export function waitForSeveral(
  seat: Seat,
  engine: WaiterEngine,
  freed: ModelEvent,
  taker: ModelEvent,
  count: number,
  address: number,
): number {
  freed.units = count;
  let got = 0;
  engine.park();
  for (;;) {
    const bell = readBell(seat);
    arm(engine, freed, true);
    got = takeAlone(seat, engine, taker, count, address);
    if (got !== 0) break;
    engine.park();
    if (engine.sleep(bellIndex(seat), bell) !== 0) {
      got = GIVEN_UP;
      break;
    }
  }
  disarm(engine, taker);
  disarm(engine, freed);
  engine.unpark();
  settle(engine, taker);
  return got;
}

/** Takers.#alone with the look of Takers.take: all of them, or 0. */
function takeAlone(seat: Seat, engine: WaiterEngine, taker: ModelEvent, count: number, address: number): number {
  if (!beginTaking(seat)) {
    arm(engine, taker, false);
    if (!beginTaking(seat)) return 0;
  }
  disarm(engine, taker);
  taker.owes = false;
  let got = 0;
  let isThere = hasFreePages(seat, count);
  if (!isThere) {
    engine.press();
    isThere = hasFreePages(seat, count);
  }
  if (isThere) {
    got = engine.allocBurst(address, count);
    if (got < count) {
      engine.releaseBulk(address, got);
      got = 0;
    }
  }
  endTaking(engine, seat);
  return got;
}

/**
 * AsyncWait.look with the event of src/pool/replies.ts: until the call is over, or it is given up, as src/pool/calls.ts
 * does. 1: answered, and released; 2: it failed.
 */
export function waitForAnswer(seat: Seat, engine: WaiterEngine, call: number, address: number): number {
  const { u32 } = seat.memory;
  let got = 0;
  while (got === 0) {
    const bell = readBell(seat);
    if (engine.collect(call, address) === OK) got = 1;
    else if (engine.sleep(bellIndex(seat), bell) !== 0) {
      if (engine.cancel(call) !== OK && engine.collect(call, address) === OK) got = 1;
      else return GIVEN_UP;
    }
  }
  const handle = u32[address >>> 2] as number;
  if (handle === 0) return 2;
  engine.release(handle);
  return 1;
}

/** PoolEvent.settle after a wait that only looked. */
export function settleEvent(engine: WaiterEngine, event: ModelEvent): number {
  settle(engine, event);
  return 0;
}

/** Attachment.#rung of a thread that waits for nothing: it answers whenever its bell is rung. */
export function idle(seat: Seat, engine: WaiterEngine): number {
  for (;;) {
    const bell = readBell(seat);
    engine.poll();
    if (engine.sleep(bellIndex(seat), bell) !== 0) return GIVEN_UP;
  }
}
