// The shipped recovery of a port, from the claim to the end, as the explorer's threads run it.
//
// Who may claim which port is src/recovery/port-reaper.ts' rule, told there by a map of the dead and here by a set.

import { CLAIM_FREE, CLAIM_STATE_MASK, PORT_CLAIM_OFFSET } from '../../assembly/layout.js';
import { isAttached, reaperOf } from '../../src/control/claims.js';
import type { Geometry } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import type { EngineCall } from '../../src/control/steps.js';
import { DeadPort } from '../../src/recovery/dead-port.js';
import { claimDead, emptyFindings, type Findings, reapClaimed } from '../../src/recovery/reap.js';
import type { Reaper } from './reaper.js';

/** Steps that also say for which port calls are from then on. */
type PortSteps<Result> = Generator<EngineCall | { readonly actFor: number } | undefined, Result, number>;

/** Reaps a port, be it for the first time or because another reaper died of it; what was found. */
export function* reapPort(memory: PoolMemory, geometry: Geometry, dead: number, reaper: Reaper): PortSteps<Findings> {
  const port = new DeadPort(memory, geometry, dead);
  const findings = emptyFindings(dead);
  for (;;) {
    const claim = yield* port.load(port.offset + PORT_CLAIM_OFFSET);
    if ((claim & CLAIM_STATE_MASK) === CLAIM_FREE) return findings;
    // Somebody who lives reaps it: what that one leaves in turn is found with its own port.
    if (!isAttached(claim) && !reaper.known.has(reaperOf(claim))) return findings;
    if (yield* claimDead(port, claim, reaper.id)) break;
  }
  yield* act(port, reaper.id, findings);
  const inherited = [...findings.inherited];
  for (let id = inherited.pop(); id !== undefined; id = inherited.pop()) {
    const found = emptyFindings(id);
    yield* act(new DeadPort(memory, geometry, id), reaper.id, found);
    inherited.push(...found.inherited);
  }
  return findings;
}

/** Whether this reaper did it. */
export function* reapPortIfDead(
  memory: PoolMemory,
  geometry: Geometry,
  dead: number,
  reaper: Reaper,
): PortSteps<number> {
  const findings = yield* reapPort(memory, geometry, dead, reaper);
  return findings.isReaped ? 1 : 0;
}

/** Acts as the port, which is claimed. */
function* act(port: DeadPort, reaper: number, findings: Findings): PortSteps<void> {
  const { geometry, id } = port;
  const scratch = geometry.scratchOffset + id * geometry.scratchBytes;
  yield { actFor: id };
  yield* reapClaimed(port, reaper, scratch, findings);
}

export {
  askWithPage,
  cancelCall,
  collectAnswer,
  leaveWithCalls,
  refuseCall,
  replyTo,
  serveCall,
} from './real-calls.js';
