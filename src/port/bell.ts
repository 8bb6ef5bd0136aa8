// What a thread reads and writes to wait on its bell, and what it owes when it was chosen: the steps, in no order yet.
//
// Shared words and engine calls alone, so that an explorer steps them (test/interleaving); bells.ts has the order
// around promises and timers. The port's own thread only. A waiter whose bit is gone was chosen by somebody who
// published: it owes one wake-up there, until a probe finds nothing, or it has passed on. It keeps that in mind from
// wait to wait. Only debtors check whether something is left, so a hot path pays nothing.

import {
  CONTROL_BASE,
  EVENT_KNOWN_OFFSET,
  HEADER_FREED_OFFSET,
  HEADER_TAKER_FREE_OFFSET,
  HEADER_TAKER_OFFSET,
  HEADER_TOKEN_FREED_OFFSET,
  PORT_BELL_OFFSET,
} from '../../assembly/layout.js';
import { type Seat, seatWord } from '../control/claims.js';
import type { PoolMemory } from '../control/memory.js';
import { portOffset } from '../control/places.js';
import type { Engine } from '../engine/engine.js';

/** One event as one thread waits there. */
export interface Awaited {
  /** Where it lies. */
  readonly offset: number;
  /** The port's bits are set there, as far as this thread knows: for one unit, for several. */
  isArmed: boolean;
  isArmedForSeveral: boolean;
  /** The thread was chosen there, and has not found out yet whether something is left. */
  owes: boolean;
  /** Asks whether there is a unit. */
  isLeft(): boolean;
}

type Words = Pick<Seat, 'memory' | 'geometry' | 'id'>;
type Bits = Pick<Engine, 'arm' | 'disarm' | 'pass'>;

/** The word on which the thread waits. */
export function bellIndex({ geometry, id }: Omit<Words, 'memory'>): number {
  return (portOffset(geometry, id) + PORT_BELL_OFFSET) >>> 2;
}

/** The bell as it is, before any bit is set: the thread sleeps only if it is the same after its probes. */
export function readBell(words: Words): number {
  // A1 pairs with R1 in assembly/event.ts ring: whoever rings after this ends the wait.
  return Atomics.load(words.memory.i32, bellIndex(words));
}

/** The port waits there, from before the probe that follows. */
export function arm(engine: Bits, event: Awaited, several: boolean): void {
  if (several) {
    engine.arm(event.offset, 1);
    event.isArmedForSeveral = true;
    return;
  }
  if (engine.arm(event.offset, 0) === 0 && event.isArmed) event.owes = true;
  event.isArmed = true;
}

/** The port waits there no more: chosen at the last moment, it owes. */
export function disarm(engine: Bits, event: Awaited): void {
  if (event.isArmed && engine.disarm(event.offset, 0) === 0) event.owes = true;
  if (event.isArmedForSeveral) engine.disarm(event.offset, 1);
  event.isArmed = false;
  event.isArmedForSeveral = false;
}

/** Pays what the thread owes there: where something is left, the next waiter is woken. */
export function settle(engine: Bits, event: Awaited): void {
  if (!event.owes) return;
  event.owes = false;
  if (event.isLeft()) engine.pass(event.offset);
}

/** Whether other ports wait there as well, or did: one of them may be chosen and have no time. */
export function hasCompany({ memory, id }: Pick<Words, 'memory' | 'id'>, { offset }: Pick<Awaited, 'offset'>): boolean {
  const own = 1 << (id & 31);
  const at = (half: number): number => knownAt(memory, offset + half);
  return ((at(0) & (id < 32 ? ~own : -1)) | (at(4) & (id < 32 ? -1 : ~own))) !== 0;
}

function knownAt({ i32 }: PoolMemory, offset: number): number {
  // A2 pairs with X14 in assembly/event.ts greet: whoever comes later rings.
  return Atomics.load(i32, (offset + EVENT_KNOWN_OFFSET) >>> 2);
}

/**
 * From here on this port alone takes several pages, until `endTaking`. False: another port does now, and rings
 * whoever waits at `TAKER_FREE` when it is done. Never held while a thread sleeps: only one that ends meanwhile keeps
 * others waiting, until its port is reaped.
 */
export function beginTaking({ claim, id, memory }: Omit<Seat, 'geometry'>): boolean {
  // X3 pairs with X4 in endTaking: the probe that follows sees what the last taker returned.
  return Atomics.compareExchange(memory.i32, TAKER, 0, seatWord({ claim, id })) === 0;
}

/** This port has taken, or found too few: the next one may. */
export function endTaking(engine: Bits, { claim, id, memory }: Omit<Seat, 'geometry'>): void {
  // X4 pairs with X3 in beginTaking: whoever finds the word held has set its bit before, and this comes before the
  // bits are read. By exchange: a thread that was taken for dead meanwhile clears nobody else's name.
  Atomics.compareExchange(memory.i32, TAKER, seatWord({ claim, id }), 0);
  engine.pass(TAKER_FREE);
}

/** Whether no port takes several pages now. */
export function isTakerFree({ i32 }: PoolMemory): boolean {
  // A5 pairs with X4 in endTaking: whoever finds the word held is rung when it is free.
  return Atomics.load(i32, TAKER) === 0;
}

const TAKER = (CONTROL_BASE + HEADER_TAKER_OFFSET) >>> 2;
/** The event of pages that come back. */
export const FREED: number = CONTROL_BASE + HEADER_FREED_OFFSET;
/** The event of a taker that is done. */
export const TAKER_FREE: number = CONTROL_BASE + HEADER_TAKER_FREE_OFFSET;
/** The event of tokens that come back. */
export const TOKENS: number = CONTROL_BASE + HEADER_TOKEN_FREED_OFFSET;
