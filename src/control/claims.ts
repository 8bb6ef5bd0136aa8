// Claims: which thread has which port, by the port's claim word.
//
// A port belongs to one thread. A freed port keeps its counters and its magazines: the next claimant goes on with both,
// so sums over all ports stay right. Any thread reads claims; its own one a thread moves by compare-exchange, since a
// reaper may be faster.

import {
  CLAIM_ACTIVE,
  CLAIM_FREE,
  CLAIM_QUARANTINED,
  CLAIM_REAPER_MASK,
  CLAIM_REAPER_SHIFT,
  CLAIM_REAPING,
  CLAIM_SEQ_SHIFT,
  CLAIM_STATE_MASK,
  PORT_AREAS_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_LIMIT_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_THREAD_CLAIM_OFFSET,
  PORT_THREAD_OFFSET,
  PORT_WANT_OFFSET,
} from '../../assembly/layout.js';
import { callError } from '../errors.js';
import { threadWord } from '../platform/thread.js';
import type { Geometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { portOffset } from './places.js';

/** A port as its thread has claimed it. */
export interface Seat {
  readonly id: number;
  /** The claim word that this thread wrote. */
  readonly claim: number;
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
}

/** What of a seat names the pool. */
export type SharedWords = Pick<Seat, 'memory' | 'geometry'>;

/** Of a word that names a seat, the bits of the port. */
const PORT_MASK: number = 2 ** CLAIM_SEQ_SHIFT - 1;

/**
 * Claims a free port and returns its number.
 *
 * @throws PagePoolError POOL_ERR_NO_PORT when all are claimed
 */
export function claimPort(memory: PoolMemory, geometry: Geometry): number {
  const { i32, u32 } = memory;
  const thread = threadWord();
  for (let id = 0; id < geometry.maxPorts; id++) {
    const port = portOffset(geometry, id);
    const claim = (port + PORT_CLAIM_OFFSET) >>> 2;
    // N1 no ordering needed: the compare-exchange decides.
    const seen = Atomics.load(i32, claim) >>> 0;
    if ((seen & CLAIM_STATE_MASK) !== CLAIM_FREE) continue;
    const next = (((seen >>> CLAIM_SEQ_SHIFT) + 1) << CLAIM_SEQ_SHIFT) | CLAIM_ACTIVE;
    // X2 pairs with X4 in moveClaim: what the port's last thread wrote is visible to its next.
    if (Atomics.compareExchange(i32, claim, seen | 0, next | 0) >>> 0 !== seen) continue;
    // Straight behind the claim, with no call between: engines end threads at calls and loops, so the claim has a name.
    u32[(port + PORT_THREAD_OFFSET) >>> 2] = thread;
    // R10 pairs with A11 in threadOf: the number belongs to this claim from here on.
    Atomics.store(i32, (port + PORT_THREAD_CLAIM_OFFSET) >>> 2, next >>> CLAIM_SEQ_SHIFT);
    u32[(port + PORT_PARKED_OFFSET) >>> 2] = 0;
    // R3 pairs with A2 in assembly/pool.ts poll: caching starts now.
    Atomics.store(i32, (port + PORT_LIMIT_OFFSET) >>> 2, geometry.magazineCapacity);
    return id;
  }
  throw callError('POOL_ERR_NO_PORT', 'attach', `maxPorts=${geometry.maxPorts}`, 'fewer attached threads');
}

/** A port's claim word. */
export function claimOf(memory: PoolMemory, geometry: Geometry, id: number): number {
  // N9 no ordering needed: whoever acts on it exchanges it.
  return Atomics.load(memory.i32, (portOffset(geometry, id) + PORT_CLAIM_OFFSET) >>> 2) >>> 0;
}

/** The number + 1 of the thread that has the port by that claim; 0 where it is not known. */
export function threadOf({ i32, u32 }: PoolMemory, geometry: Geometry, id: number, claim: number): number {
  const port = portOffset(geometry, id);
  // A11 pairs with R10 in claimPort: a number that is of this claim is there.
  const named = Atomics.load(i32, (port + PORT_THREAD_CLAIM_OFFSET) >>> 2) >>> 0;
  return named === claim >>> CLAIM_SEQ_SHIFT ? (u32[(port + PORT_THREAD_OFFSET) >>> 2] as number) : 0;
}

/** Whether a claim word is that of a thread that may live: attached, or set aside. */
export function isAttached(claim: number): boolean {
  const state = claim & CLAIM_STATE_MASK;
  return state === CLAIM_ACTIVE || state === CLAIM_QUARANTINED;
}

/** Whether two claim words are of one claim, whatever its state. */
export function isSameClaim(one: number, other: number): boolean {
  return one >>> CLAIM_SEQ_SHIFT === other >>> CLAIM_SEQ_SHIFT;
}

/**
 * Shows that this thread lives: a port that was set aside is taken back. False: the port was reaped, and is not this
 * thread's any more.
 */
export function keepClaim(seat: Seat): boolean {
  return moveClaim(seat, seat.claim);
}

/** Frees this thread's port, unless it was reaped. Its magazines are empty and it holds no reference. */
export function freePort(seat: Seat): void {
  const { geometry, id, memory } = seat;
  if (keepClaim(seat)) {
    // R12 pairs with A2 in src/supply/owner-words.ts unaware: the next claimant knows no area before it announces it.
    Atomics.store(memory.i32, (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2, 0);
    // N13 no ordering needed: a want of nobody would only be one page too many.
    Atomics.store(memory.i32, (portOffset(geometry, id) + PORT_WANT_OFFSET) >>> 2, 0);
  }
  moveClaim(seat, (seat.claim & ~CLAIM_STATE_MASK) | CLAIM_FREE);
}

function moveClaim(seat: Seat, next: number): boolean {
  const { memory, geometry, id, claim } = seat;
  const index = (portOffset(geometry, id) + PORT_CLAIM_OFFSET) >>> 2;
  for (;;) {
    const seen = claimOf(memory, geometry, id);
    if (!isAttached(seen) || !isSameClaim(seen, claim)) return false;
    // X4 pairs with X2 in claimPort: everything this thread did with the port comes before. A reaper may be faster.
    if (seen === next >>> 0 || Atomics.compareExchange(memory.i32, index, seen | 0, next | 0) >>> 0 === seen)
      return true;
  }
}

/** The word by which the header names a seat: the port, by this claim. */
export function seatWord({ claim, id }: Pick<Seat, 'claim' | 'id'>): number {
  return ((claim >>> CLAIM_SEQ_SHIFT) << CLAIM_SEQ_SHIFT) | (id + 1);
}

/** The port that such a word names; -1: none. */
export function portOfSeat(word: number): number {
  return (word & PORT_MASK) - 1;
}

/** Whether the thread that such a word names still has its port. */
export function isSeated({ memory, geometry }: SharedWords, word: number): boolean {
  const claim = word === 0 ? 0 : claimOf(memory, geometry, portOfSeat(word));
  return isAttached(claim) && isSameClaim(claim, word);
}

/** The claim word of a port being reaped by `reaper`. */
export function reapingClaim(claim: number, reaper: number): number {
  return (
    (((claim >>> CLAIM_SEQ_SHIFT) << CLAIM_SEQ_SHIFT) | ((reaper + 1) << CLAIM_REAPER_SHIFT) | CLAIM_REAPING) >>> 0
  );
}

/** The port that reaps, by a claim word. */
export function reaperOf(claim: number): number {
  return ((claim & CLAIM_REAPER_MASK) >>> CLAIM_REAPER_SHIFT) - 1;
}
