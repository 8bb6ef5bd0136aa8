// A port: this thread's attachment to a pool, as the other files of the public layer see it.
//
// Claiming and freeing a port's claim word, and the few header words that several files read. A port belongs to one thread.
// A freed port keeps its counters and its magazines: the next claimant goes on with both, so sums over all ports stay right.

import {
  CLAIM_ACTIVE,
  CLAIM_FREE,
  CLAIM_SEQ_SHIFT,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  HEADER_STATE_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_LIMIT_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RELEASE_OFFSET,
  PORT_SHIFT,
  STATE_CLOSING,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { ERR_CLOSED } from '../engine/closed.js';
import type { Engine } from '../engine/engine.js';
import { engineError, PagePoolError, REMEDIES } from '../errors.js';
import type { LeakTracker } from '../leaks/tracker.js';
import type { Geometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import type { Scratch } from './scratch.js';

/** What the files of the public layer share about one attachment. */
export interface Port {
  readonly id: number;
  readonly name: string;
  /** What the thread calls itself, for statistics. */
  readonly label: string;
  /** Tells the pool from every other. */
  readonly identity: string;
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
  readonly scratch: Scratch;
  /** Replaced by one that refuses everything when the thread detaches or the pool is destroyed. */
  engine: Engine;
  /** What this thread holds, where it asked for that. */
  leaks: LeakTracker | undefined;
  /** The thread detached, or the pool is destroyed. */
  isGone: boolean;
  /** Waits of this thread that are under way: it is parked while there are any. */
  waits: number;
}

/** Where port `id`'s block lies. */
export function portOffset(geometry: Geometry, id: number): number {
  return geometry.portsOffset + (id << PORT_SHIFT);
}

/**
 * Claims a free port and returns its number.
 *
 * @throws PagePoolError POOL_ERR_NO_PORT when all are claimed
 */
export function claimPort(memory: PoolMemory, geometry: Geometry): number {
  const { i32, u32 } = memory;
  for (let id = 0; id < geometry.maxPorts; id++) {
    const port = portOffset(geometry, id);
    const claim = (port + PORT_CLAIM_OFFSET) >>> 2;
    // N1 no ordering needed: the compare-exchange decides.
    const seen = Atomics.load(i32, claim) >>> 0;
    if ((seen & CLAIM_STATE_MASK) !== CLAIM_FREE) continue;
    const next = (((seen >>> CLAIM_SEQ_SHIFT) + 1) << CLAIM_SEQ_SHIFT) | CLAIM_ACTIVE;
    // X2 pairs with R4 in freePort: what the port's last thread wrote is visible to its next.
    if (Atomics.compareExchange(i32, claim, seen | 0, next | 0) >>> 0 !== seen) continue;
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

/** Frees this thread's port. Its magazines are empty and it holds no reference. */
export function freePort({ memory, geometry, id }: Port): void {
  const claim = (portOffset(geometry, id) + PORT_CLAIM_OFFSET) >>> 2;
  // N5 no ordering needed: the word is this thread's until the store.
  const seen = Atomics.load(memory.i32, claim);
  // R4 pairs with X2 in claimPort: everything this thread did with the port comes before.
  Atomics.store(memory.i32, claim, (seen & ~CLAIM_STATE_MASK) | CLAIM_FREE);
}

/** The pool's state: STATE_ACTIVE, STATE_CLOSING, STATE_DESTROYED. */
export function poolState(memory: PoolMemory): number {
  // A6 pairs with R1 in src/pool/closing.ts close: a thread that sees the pool closing sees why.
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
export function exhausted(port: Pick<Port, 'memory' | 'isGone'>, call: string): 0 {
  const state = poolState(port.memory);
  if (port.isGone || state === STATE_DESTROYED) throw destroyedError(call);
  if (state !== STATE_CLOSING) return 0;
  const remedy = REMEDIES.POOL_ERR_CLOSING;
  throw new PagePoolError('POOL_ERR_CLOSING', `${call} failed: pool=closing (expected an open pool); ${remedy}`);
}
