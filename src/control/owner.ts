// Demand: how a thread that finds no page asks the pool's owner for more, and how it calls the owner at all.
//
// A want is a word of the port, so asking twice asks once, and a dead thread's want is one word. The owner waits asynchronously
// on the header's demand word; where it blocks, it blocks on a channel's event, which is raised as well. Any thread; nothing
// here blocks. Pools whose memory is all their own have no owner, and never come here.

import {
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  CLAIM_SEQ_SHIFT,
  CONTROL_BASE,
  EVENT_SEQ_OFFSET,
  EVENT_WAITERS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_OWNER_OFFSET,
  PORT_WANT_OFFSET,
} from '../../assembly/layout.js';
import { claimOf, isAttached, isSameClaim, type Port } from '../port/port.js';
import { loadWord } from './nodes.js';
import { portOffset } from './places.js';

const PORT_MASK = 2 ** CLAIM_SEQ_SHIFT - 1;

/** Makes the owner look at everything: its wait ends, wherever it waits. */
export function ringOwner({ memory, geometry }: Pick<Port, 'memory' | 'geometry'>): void {
  const { i32 } = memory;
  // R1 pairs with A1 in src/supply/supply.ts look: what the owner is called for is there.
  Atomics.add(i32, (CONTROL_BASE + HEADER_DEMAND_OFFSET) >>> 2, 1);
  // N2 no ordering needed: the word was raised before.
  Atomics.notify(i32, (CONTROL_BASE + HEADER_DEMAND_OFFSET) >>> 2);
  for (const { offset } of geometry.channels) {
    for (const event of [offset + CHANNEL_NOT_EMPTY_OFFSET, offset + CHANNEL_NOT_FULL_OFFSET]) {
      // As the engines' wake: a waiter that is not seen here sees what came before.
      if ((loadWord(memory, event + EVENT_WAITERS_OFFSET) | loadWord(memory, event + EVENT_WAITERS_OFFSET + 4)) === 0)
        continue;
      // N3 no ordering of its own: as R1.
      Atomics.add(i32, (event + EVENT_SEQ_OFFSET) >>> 2, 1);
      // N4 no ordering needed: the sequence was raised before.
      Atomics.notify(i32, (event + EVENT_SEQ_OFFSET) >>> 2);
    }
  }
}

/**
 * Asks the provider for `count` pages, at least a magazine. True: this thread is the owner, the provider was asked, and pages may be
 * there now.
 *
 * @throws PagePoolError POOL_ERR_PROVIDER when it is, and the provider failed
 */
export function want(port: Port, call: string, count: number): boolean {
  const { areas, geometry, id, memory, supply } = port;
  if (areas === undefined) return false;
  areas.follow();
  const index = (portOffset(geometry, id) + PORT_WANT_OFFSET) >>> 2;
  // X5 pairs with X3 in src/supply/supply.ts takeWants: a want that is taken was written before.
  const before = Atomics.exchange(memory.i32, index, Math.max(count, geometry.magazineCapacity));
  if (supply !== undefined) return supply.serve(call);
  if (before === 0) ringOwner(port);
  return false;
}

/** Whether somebody serves wants: pools whose memory is their own need nobody. */
export function ownerState({ memory, geometry }: Pick<Port, 'memory' | 'geometry'>): 'none' | 'serving' | 'gone' {
  const owner = loadWord(memory, CONTROL_BASE + HEADER_OWNER_OFFSET);
  if (owner === 0) return 'none';
  const claim = claimOf(memory, geometry, (owner & PORT_MASK) - 1);
  return isAttached(claim) && isSameClaim(claim, owner) ? 'serving' : 'gone';
}

/** The word that names a port's thread as the owner. */
export function ownerWord({ claim, id }: Pick<Port, 'claim' | 'id'>): number {
  return ((claim >>> CLAIM_SEQ_SHIFT) << CLAIM_SEQ_SHIFT) | (id + 1);
}
