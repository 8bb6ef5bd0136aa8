// A reaper that is just enough to test how reapers are explored: it settles no records.
//
// It serves scenarios whose victims only hand out pages of their cache and take them back. Rows of pages in the dead
// port's magazine go to 0, and every reference that is left is released by the dead port's engine. Each of its steps
// may be done twice, so one that dies is followed by another one; a page is suspect while its references are released.

import {
  CLAIM_FREE,
  CLAIM_REAPING,
  CLAIM_STATE_MASK,
  DESCRIPTOR_SHIFT,
  DESCRIPTOR_SUSPECT_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_PAGES_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_SHIFT,
  RECORD_NONE,
} from '../../assembly/layout.js';
import type { Geometry } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import type { Steps } from './procedure.js';

/** Reaps a port; how many references it released. */
export function* reapToy(memory: PoolMemory, geometry: Geometry, dead: number): Steps<number> {
  const { i32, u16 } = memory;
  const port = geometry.portsOffset + (dead << PORT_SHIFT);
  const claim = (port + PORT_CLAIM_OFFSET) >>> 2;
  yield;
  const seen = Atomics.load(i32, claim);
  yield;
  Atomics.store(i32, claim, (seen & ~CLAIM_STATE_MASK) | CLAIM_REAPING);
  const record = i32[(port + PORT_RECORD_KIND_OFFSET) >>> 2];
  if (record !== RECORD_NONE) throw new Error(`record=${record} (expected none: this reaper settles no records)`);
  const { nodesOffset, nodeBytes } = geometry.ring;
  const node = nodesOffset + (i32[(port + PORT_LOADED_OFFSET) >>> 2] as number) * nodeBytes;
  const count = i32[(node + NODE_COUNT_OFFSET) >>> 2] as number;
  // A page in a dead port's magazine counts as row 0.
  for (let i = 0; i < count; i++) {
    u16[rowIndex(geometry, dead, i32[(node + NODE_PAGES_OFFSET + 4 * i) >>> 2] as number)] = 0;
  }
  let released = 0;
  for (let page = 1; page <= geometry.pageCount; page++) {
    const row = u16[rowIndex(geometry, dead, page)] as number;
    if (row === 0) continue;
    const mark = (geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT) + DESCRIPTOR_SUSPECT_OFFSET) >>> 2;
    yield;
    Atomics.store(i32, mark, 1);
    released += yield { call: ['releaseHeld', page, row] };
    yield;
    Atomics.store(i32, mark, 0);
  }
  yield;
  Atomics.store(i32, claim, (seen & ~CLAIM_STATE_MASK) | CLAIM_FREE);
  return released;
}

function rowIndex({ ledgersOffset, ledgerBytes }: Geometry, port: number, page: number): number {
  return (ledgersOffset + port * ledgerBytes + 2 * page) >>> 1;
}
