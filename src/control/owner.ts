// The owner, the thread that calls a pool's providers, as other threads reach it: what they want, which areas they
// know, and a call.
//
// A want is a word of the port, so asking twice asks once, and a dead thread's want is one word. The owner is woken for
// it by its bell, wherever it waits, and checks everything if the count of calls has moved. Any thread; nothing here
// blocks. Pools whose memory is all their own have no owner, and never come here. The owner's own side is in
// src/supply/owner-words.ts.

import {
  CONTROL_BASE,
  HEADER_AREAS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_OWNER_OFFSET,
  PORT_AREAS_OFFSET,
  PORT_WANT_OFFSET,
} from '../../assembly/layout.js';
import { ringPort } from './bells.js';
import { isSeated, portOfSeat, type Seat, type SharedWords, threadOf } from './claims.js';
import type { PoolMemory } from './memory.js';
import { loadWord } from './nodes.js';
import { portOffset } from './places.js';

/** Makes the owner check everything: its wait ends, wherever it waits. */
export function ringOwner({ memory }: Pick<SharedWords, 'memory'>): void {
  // R1 pairs with A1 in src/supply/owner-words.ts demandCount: what the owner is called for is there.
  Atomics.add(memory.i32, (CONTROL_BASE + HEADER_DEMAND_OFFSET) >>> 2, 1);
  // N2 no ordering needed: one that has left needs no call.
  const owner = Atomics.load(memory.i32, (CONTROL_BASE + HEADER_OWNER_OFFSET) >>> 2);
  if (owner !== 0) ringPort(memory, portOfSeat(owner));
}

/**
 * Leaves word that this thread wants `count` pages. True: it did not want any before, and the owner has to be called.
 */
export function leaveWant({ geometry, id, memory }: Seat, count: number): boolean {
  const index = (portOffset(geometry, id) + PORT_WANT_OFFSET) >>> 2;
  // X5 pairs with X3 in src/supply/owner-words.ts takeWants: a want that is taken was written before.
  return Atomics.exchange(memory.i32, index, count) === 0;
}

/** Announces which areas this thread knows: an epoch, or one of AREAS_*. */
export function announceAreas({ geometry, id, memory }: Seat, word: number): void {
  // R6 pairs with A2 in src/supply/owner-words.ts unaware: the thread's table is of the word's epoch.
  Atomics.store(memory.i32, (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2, word | 0);
}

/** The epoch of the areas, after this thread has announced which it knows. */
export function areasEpoch({ i32 }: PoolMemory): number {
  // A7 pairs with R1 in src/supply/owner-words.ts setAreasEpoch: the owner sees what was announced, or this thread sees
  // the new epoch.
  return Atomics.load(i32, (CONTROL_BASE + HEADER_AREAS_OFFSET) >>> 2);
}

/** Whether somebody serves wants: pools whose memory is their own need nobody. */
export function ownerState(words: SharedWords): 'none' | 'serving' | 'gone' {
  const owner = loadWord(words.memory, CONTROL_BASE + HEADER_OWNER_OFFSET);
  if (owner === 0) return 'none';
  return isSeated(words, owner) ? 'serving' : 'gone';
}

/** The number + 1 of the thread that serves wants; 0 where nobody does, or threads have no numbers. */
export function ownerThread(words: SharedWords): number {
  const { geometry, memory } = words;
  const owner = loadWord(memory, CONTROL_BASE + HEADER_OWNER_OFFSET);
  return isSeated(words, owner) ? threadOf(memory, geometry, portOfSeat(owner), owner) : 0;
}
