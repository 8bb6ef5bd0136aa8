// The state of a pool: what every thread of it is told, how it hears of it while it stands still, and what keeps it
// from its end.
//
// The sequence beside the state is raised with whatever concerns all of them: the pool closes, a port was freed, set
// aside or reaped, locks are wanted. An idle thread waits on it asynchronously and looks at everything when it moves; a
// busy one sees its cache limit at its next release. Any thread may announce; nothing here blocks.

import {
  CLAIM_FREE,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  HEADER_STATE_OFFSET,
  HEADER_STATE_SEQ_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RELEASE_OFFSET,
} from '../../assembly/layout.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import { claimOf, type Seat, type SharedWords } from './claims.js';
import type { Geometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { loadWord, pinCount } from './nodes.js';
import { portOffset } from './places.js';

const SEQUENCE = (CONTROL_BASE + HEADER_STATE_SEQ_OFFSET) >>> 2;

/** Calls every thread that waits: each looks at the pool's state, its own port, and whatever else may have changed. */
export function announce({ i32 }: PoolMemory): void {
  // R1 pairs with A2 in look: whoever sees the sequence move sees what was changed before.
  Atomics.add(i32, SEQUENCE, 1);
  // N3 no ordering needed: the sequence was raised before.
  Atomics.notify(i32, SEQUENCE);
}

/**
 * Calls `onChange` now and whenever something is announced, until it returns false. Does not keep Node's event loop
 * alive.
 */
export function watchState(port: Pick<Seat, 'memory'>, onChange: () => boolean): void {
  const look = (): void => {
    const { i32, isShared } = port.memory;
    // A2 pairs with R1 in announce: a change after this ends the wait.
    const sequence = Atomics.load(i32, SEQUENCE);
    if (!onChange() || !isShared || !hasWaitAsync()) return;
    const { async, value } = Atomics.waitAsync(i32, SEQUENCE, sequence);
    void (async ? value : Promise.resolve()).then(look);
  };
  // The wait begins when the thread is done with what it is at. It could not hear of anything before that, and a
  // waitAsync keeps the memory until the event loop turns: also that of a pool that has ended meanwhile.
  if (onChange()) void Promise.resolve().then(look);
}

/** The pool's state: STATE_ACTIVE, STATE_CLOSING, STATE_DESTROYED. */
export function poolState(memory: PoolMemory): number {
  // A6 pairs with R1 in src/control/ending.ts close: a thread that sees the pool closing sees why.
  return Atomics.load(memory.i32, (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2);
}

/**
 * Pages taken from the provider and not given back, cached ones included: releases are read before holds, so never too
 * few.
 */
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

/** Pages that somebody has pinned. */
export function pinnedPages(words: SharedWords): number {
  let pinned = 0;
  for (let page = 1; page <= words.geometry.pageCount; page++) {
    if (pinCount(words, page) !== 0) pinned++;
  }
  return pinned;
}

/** Ports whose threads have not parked: while there is one, a page may still be on its way to it. */
export function runningPorts({ memory, geometry }: SharedWords): number[] {
  const running: number[] = [];
  for (let id = 0; id < geometry.maxPorts; id++) {
    if (isRunning(memory, geometry, id)) running.push(id);
  }
  return running;
}

/** A port being reaped counts: what its thread was doing is not settled before it has parked. */
export function isRunning(memory: PoolMemory, geometry: Geometry, id: number): boolean {
  const isClaimed = (claimOf(memory, geometry, id) & CLAIM_STATE_MASK) !== CLAIM_FREE;
  return isClaimed && loadWord(memory, portOffset(geometry, id) + PORT_PARKED_OFFSET) === 0;
}
