// The state of a pool: what is announced to every thread, how it is woken for that while it stands still, and what
// keeps it from its end.
//
// The count beside the state is raised with whatever concerns all of them: the pool closes, a port was freed, set aside
// or reaped, locks are wanted. Then every bell is rung. An idle thread waits on its bell and checks everything when
// the count has moved; a busy one sees its cache limit at its next release. Any thread may announce; nothing here
// blocks.

import {
  CLAIM_FREE,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  HEADER_NEWS_OFFSET,
  HEADER_STATE_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RELEASE_OFFSET,
} from '../../assembly/layout.js';
import { ringEveryPort } from './bells.js';
import { claimOf, type SharedWords } from './claims.js';
import type { Geometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { loadWord, pinCount } from './nodes.js';
import { portOffset } from './places.js';

const NEWS = (CONTROL_BASE + HEADER_NEWS_OFFSET) >>> 2;

/** Rings every thread: each reads the pool's state, its own port, and whatever else may have changed. */
export function announce(memory: PoolMemory): void {
  // R1 pairs with A2 in newsCount: whoever sees the count move sees what was changed before.
  Atomics.add(memory.i32, NEWS, 1);
  ringEveryPort(memory);
}

/** How often something was announced. Who finds it as it was need read nothing else. */
export function newsCount({ i32 }: PoolMemory): number {
  // A2 pairs with R1 in announce: what is announced after this raises the bell once more.
  return Atomics.load(i32, NEWS);
}

/** The pool's state: STATE_ACTIVE, STATE_CLOSING, STATE_DESTROYED. */
export function poolState(memory: PoolMemory): number {
  // A6 pairs with R1 in src/control/ending.ts close: a thread that sees the pool closing sees why.
  return Atomics.load(memory.i32, (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2);
}

/**
 * Pages taken from the provider and not returned, cached ones included: releases are read before holds, so never too
 * few.
 */
export function inflight(memory: PoolMemory, geometry: Geometry): number {
  let releases = 0;
  let holds = 0;
  for (let id = 0; id < geometry.maxPorts; id++) {
    // N7 no ordering needed: a release that is missed leaves the pool open for one check more.
    releases = (releases + Atomics.load(memory.i32, (portOffset(geometry, id) + PORT_RELEASE_OFFSET) >>> 2)) | 0;
  }
  for (let id = 0; id < geometry.maxPorts; id++) {
    // N8 no ordering needed: a hold that is missed has not been counted when the releases were read.
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
