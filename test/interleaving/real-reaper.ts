// The shipped recovery of a port, from the claim to the end, as the explorer's threads run it.

import { CLAIM_FREE, CLAIM_STATE_MASK, PORT_CLAIM_OFFSET } from '../../assembly/layout.js';
import type { Geometry } from '../../src/pool/geometry.js';
import type { PoolMemory } from '../../src/pool/memory.js';
import { DeadPort } from '../../src/recovery/dead-port.js';
import { claimDead, emptyFindings, type Findings, reapClaimed } from '../../src/recovery/reap.js';
import type { Steps } from '../../src/recovery/steps.js';

/** A reaper that has no port in the model. */
const REAPER = 9;

/** Reaps a port, be it for the first time or because another reaper died of it; what was found. */
export function* reapPort(memory: PoolMemory, geometry: Geometry, dead: number, scratch: number): Steps<Findings> {
  const port = new DeadPort(memory, geometry, dead);
  const findings = emptyFindings(dead);
  const claim = yield* port.load(port.offset + PORT_CLAIM_OFFSET);
  if ((claim & CLAIM_STATE_MASK) === CLAIM_FREE) return findings;
  if (yield* claimDead(port, claim, REAPER)) yield* reapClaimed(port, REAPER, scratch, findings);
  return findings;
}
