// A port: this thread's attachment to a pool, as the other files of the public layer see it.
//
// Claiming and freeing a port's claim word, and the few header words that several files read. A port belongs to one thread.
// A freed port keeps its counters and its magazines: the next claimant goes on with both, so sums over all ports stay right.

import {
  CLAIM_ACTIVE,
  CLAIM_FREE,
  CLAIM_QUARANTINED,
  CLAIM_SEQ_SHIFT,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  HEADER_STATE_OFFSET,
  PORT_AREAS_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_LIMIT_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RELEASE_OFFSET,
  PORT_THREAD_CLAIM_OFFSET,
  PORT_THREAD_OFFSET,
  PORT_WANT_OFFSET,
  STATE_CLOSING,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import type { Geometry } from '../control/geometry.js';
import type { PoolMemory } from '../control/memory.js';
import { portOffset } from '../control/places.js';
import { ERR_CLOSED } from '../engine/closed.js';
import type { Engine } from '../engine/engine.js';
import { engineError, PagePoolError, REMEDIES } from '../errors.js';
import type { LeakTracker } from '../leaks/tracker.js';
import { threadWord } from '../platform/thread.js';
import type { Areas } from '../supply/areas.js';
import type { Supply } from '../supply/supply.js';
import type { Scratch } from './scratch.js';

/** What the files of the public layer share about one attachment. */
export interface Port {
  readonly id: number;
  readonly name: string;
  /** What the thread calls itself, for statistics. */
  readonly label: string;
  /** Tells the pool from every other. */
  readonly identity: string;
  /** The claim word that this thread wrote. */
  readonly claim: number;
  /** Replaced by a copy of its control region when the pool is destroyed: what is kept then is small. */
  memory: PoolMemory;
  readonly geometry: Geometry;
  scratch: Scratch;
  /** Replaced by one that refuses everything when the thread detaches or the pool is destroyed. */
  engine: Engine;
  /** What this thread holds, where it asked for that. */
  leaks: LeakTracker | undefined;
  /** The thread detached, or the pool is destroyed, or the port was reaped. */
  isGone: boolean;
  /** Another thread took this one for dead and reaped the port: its words are somebody else's. */
  isLost: boolean;
  /** Ends this thread's use of the port, when it is lost. */
  onLost: () => void;
  /** Waits of this thread that are under way: it is parked while there are any. */
  waits: number;
  /** The provider's name. */
  readonly kind?: string;
  /** Where the pages of providers lie; undefined where all pages are the pool's own. */
  readonly areas?: Areas | undefined;
  /** The thread calls the providers. */
  supply?: Supply | undefined;
  /** Puts another engine in the place of the port's. */
  useEngine?: (engine: Engine) => void;
}

/** What frees a port. */
type Claimed = Pick<Port, 'id' | 'claim' | 'memory' | 'geometry'>;

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
  throw new PagePoolError(
    'POOL_ERR_NO_PORT',
    `attach failed: maxPorts=${geometry.maxPorts} (expected fewer attached threads); detach where the pool is no longer used, or create it with more maxPorts`,
  );
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
 * Says that this thread lives: a port that was set aside is taken back. False: the port was reaped, and is not this thread's any
 * more.
 */
export function keepClaim(port: Claimed): boolean {
  return moveClaim(port, port.claim);
}

/** The same where a thread goes on after standing still: a port that is lost is given up at once. */
export function ownsPort(port: Port): boolean {
  if (port.isGone) return false;
  if (keepClaim(port)) return true;
  port.isLost = true;
  port.onLost();
  return false;
}

/** Frees this thread's port, unless it was reaped. Its magazines are empty and it holds no reference. */
export function freePort(port: Claimed): void {
  const { geometry, id, memory } = port;
  if (keepClaim(port)) {
    // R12 pairs with A2 in src/supply/supply.ts unaware: the next claimant knows no area before it says so.
    Atomics.store(memory.i32, (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2, 0);
    // N13 no ordering needed: a want of nobody would only be one page too many.
    Atomics.store(memory.i32, (portOffset(geometry, id) + PORT_WANT_OFFSET) >>> 2, 0);
  }
  moveClaim(port, (port.claim & ~CLAIM_STATE_MASK) | CLAIM_FREE);
}

function moveClaim(port: Claimed, next: number): boolean {
  const { memory, geometry, id, claim } = port;
  const index = (portOffset(geometry, id) + PORT_CLAIM_OFFSET) >>> 2;
  for (;;) {
    const seen = claimOf(memory, geometry, id);
    if (!isAttached(seen) || !isSameClaim(seen, claim)) return false;
    // X4 pairs with X2 in claimPort: everything this thread did with the port comes before. A reaper may be faster.
    if (seen === next >>> 0 || Atomics.compareExchange(memory.i32, index, seen | 0, next | 0) >>> 0 === seen)
      return true;
  }
}

/** The pool's state: STATE_ACTIVE, STATE_CLOSING, STATE_DESTROYED. */
export function poolState(memory: PoolMemory): number {
  // A6 pairs with R1 in src/control/ending.ts close: a thread that sees the pool closing sees why.
  return Atomics.load(memory.i32, (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2);
}

/** Pages taken from the provider and not given back, cached ones included: releases are read before holds, so never too few. */
export function inflight(memory: PoolMemory, geometry: Geometry): number {
  let releases = 0;
  let holds = 0;
  for (let id = 0; id < geometry.maxPorts; id++) {
    // N7 no ordering needed: a release that is missed leaves the pool open for one look more.
    releases = (releases + Atomics.load(memory.i32, (portOffset(geometry, id) + PORT_RELEASE_OFFSET) >>> 2)) | 0;
  }
  for (let id = 0; id < geometry.maxPorts; id++) {
    // N8 no ordering needed: a hold that is missed has not been handed out when the releases were read.
    holds = (holds + Atomics.load(memory.i32, (portOffset(geometry, id) + PORT_HOLD_OFFSET) >>> 2)) | 0;
  }
  return (holds - releases) | 0;
}

/** The error for an engine's negative result, or for a port that is gone. */
export function refusal(code: number, call: string, name: string, value: unknown, index?: number): PagePoolError {
  return code === ERR_CLOSED ? destroyedError(call) : engineError(code, call, name, value, index);
}

/** The error of calls on a port that is gone. */
export function destroyedError(call: string): PagePoolError {
  const remedy = REMEDIES.POOL_ERR_DESTROYED;
  return new PagePoolError(
    'POOL_ERR_DESTROYED',
    `${call} failed: pool=destroyed or detached (expected an attached pool); ${remedy}`,
  );
}

/** Why there is no page: 0 when the pool is just empty. Throws when it closes or is gone. */
export function exhausted(port: Pick<Port, 'memory' | 'isGone'> & { engine?: Engine }, call: string): 0 {
  const state = poolState(port.memory);
  if (port.isGone || state === STATE_DESTROYED) throw destroyedError(call);
  if (state !== STATE_CLOSING) return 0;
  // A thread that asks again and again, and never returns to its event loop, parks here.
  port.engine?.poll();
  const remedy = REMEDIES.POOL_ERR_CLOSING;
  throw new PagePoolError('POOL_ERR_CLOSING', `${call} failed: pool=closing (expected an open pool); ${remedy}`);
}
