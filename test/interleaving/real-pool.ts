// The shipped code around the engine that changes shared words: attaching and ending, as the explorer's threads run it.

import { STATE_ACTIVE } from '../../assembly/layout.js';
import { claimOf, claimPort, freePort } from '../../src/control/claims.js';
import type { Geometry } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import { announce, poolState } from '../../src/control/state.js';

export { beginEnding, destroyIfHome, mayEnd, nameCreator, takeOver } from '../../src/control/ending.js';

/**
 * What src/port/port.ts openPort does around the engine: the port's number + 1, or 0 when the pool takes nobody in any
 * more.
 */
export function attach(memory: PoolMemory, geometry: Geometry): number {
  if (poolState(memory) !== STATE_ACTIVE) return 0;
  const id = claimPort(memory, geometry);
  const claim = claimOf(memory, geometry, id);
  if (poolState(memory) === STATE_ACTIVE) return id + 1;
  freePort({ id, claim, memory, geometry });
  announce(memory);
  return 0;
}

/** What detaching does when the port is empty. */
export function leave(memory: PoolMemory, geometry: Geometry, id: number): number {
  const claim = claimOf(memory, geometry, id);
  freePort({ id, claim, memory, geometry });
  announce(memory);
  return 1;
}
