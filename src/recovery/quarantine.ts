// Quarantine: a port whose thread is not known to be dead is set aside, and nothing it has is touched.
//
// What only its thread writes is digested when the port is set aside. An audit that finds the pool quiet and the digest
// as it was reaps the port; a thread that lives takes its port back as soon as it finds that out (src/port/port.ts
// keepClaim), or shows itself by another digest. Any attached thread may call.

import {
  CLAIM_QUARANTINED,
  CLAIM_SEQ_SHIFT,
  CLAIM_STATE_MASK,
  LANE_BYTES,
  NODE_COUNT_OFFSET,
  PORT_BYTES,
  PORT_CLAIM_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_QUIET_OFFSET,
} from '../../assembly/layout.js';
import { claimOf } from '../control/claims.js';
import { digestOf } from '../control/digest.js';
import type { Geometry } from '../control/geometry.js';
import type { PoolMemory } from '../control/memory.js';
import { laneOffset, loadWord, nodeOffset } from '../control/nodes.js';
import { portOffset, rowIndex } from '../control/places.js';
import { announce } from '../control/state.js';
import type { Port } from '../port/port.js';

/** Whether a claim word is that of a port set aside. */
export function isQuarantined(claim: number): boolean {
  return (claim & CLAIM_STATE_MASK) === CLAIM_QUARANTINED;
}

/** Whether any port is set aside. */
export function hasQuarantine({ memory, geometry }: Port): boolean {
  for (let id = 0; id < geometry.maxPorts; id++) if (isQuarantined(claimOf(memory, geometry, id))) return true;
  return false;
}

/**
 * Sets the port aside; one that is set aside already is digested anew. False: its claim word is not `seen` any more.
 */
export function quarantine({ memory, geometry }: Port, id: number, seen: number): boolean {
  const block = portOffset(geometry, id);
  memory.u32[(block + PORT_QUIET_OFFSET) >>> 2] = digest(memory, geometry, id);
  const next = ((seen >>> CLAIM_SEQ_SHIFT) << CLAIM_SEQ_SHIFT) | CLAIM_QUARANTINED;
  // X1 of those who want the port, one has it. Its digest is there before.
  if (Atomics.compareExchange(memory.i32, (block + PORT_CLAIM_OFFSET) >>> 2, seen | 0, next | 0) >>> 0 !== seen)
    return false;
  announce(memory);
  return true;
}

/** Whether nothing of the port has changed since it was set aside. */
export function isQuiet({ memory, geometry }: Port, id: number): boolean {
  return loadWord(memory, portOffset(geometry, id) + PORT_QUIET_OFFSET) === digest(memory, geometry, id);
}

/** A number that changes with what the port's thread does: its block, its row, its lanes, its loaded magazine. */
function digest(memory: PoolMemory, geometry: Geometry, id: number): number {
  const block = portOffset(geometry, id);
  const row = 2 * rowIndex(geometry, id, 0);
  const loaded = nodeOffset(geometry.ring, loadWord(memory, block + PORT_LOADED_OFFSET));
  const stretches: (readonly [start: number, end: number])[] = [
    // From the loaded magazine on: the words before it are others' to write.
    [block + PORT_LOADED_OFFSET, block + PORT_BYTES],
    [row, row + geometry.ledgerBytes],
    [loaded + NODE_COUNT_OFFSET, loaded + geometry.ring.nodeBytes],
  ];
  for (const channel of geometry.channels) {
    const lane = laneOffset(channel, id);
    stretches.push([lane, lane + LANE_BYTES]);
  }
  return digestOf(memory, stretches);
}
