// The audit: counts every page and every reference anew, and compares them with what the pool believes.
//
// Exact on a quiet pool; it reports when something moved. An exact one is also the moment to settle what cannot be
// known while threads work: pages that a death left suspect, and ports that were set aside and have done nothing since.
// The checks themselves stand in census.ts and census-ports.ts and read only.

import {
  CONTROL_BASE,
  PORT_COUNTING_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  RECORD_NONE,
  RING_BYTES,
} from '../../assembly/layout.js';
import { claimOf } from '../control/claims.js';
import { digestOf } from '../control/digest.js';
import { loadWord } from '../control/nodes.js';
import { portOffset } from '../control/places.js';
import type { Port } from '../port/port.js';
import { PortReaper } from '../recovery/port-reaper.js';
import { hasQuarantine, isQuarantined, isQuiet } from '../recovery/quarantine.js';
import { settleSuspicion } from '../recovery/suspects.js';
import { Census, type CensusFindings } from './census.js';

/** What `audit()` found. */
export interface AuditReport extends CensusFindings {
  /**
   * Nothing moved while the audit read. Otherwise errors may come from the movement alone. A thread that the system
   * stopped inside `alloc`, `retain` or `release`, or the owner while it takes pages back, moves nothing, either: look
   * again. An error that stays is one.
   */
  readonly exact: boolean;
  /** Of the suspects, pages that had one reference too many, and have not any more. */
  readonly settled: readonly number[];
  /**
   * Ports that had been set aside and did nothing since: they are reaped now, and the rest of the report is from after
   * that.
   */
  readonly reaped: readonly number[];
}

/** Everything, read once. */
interface Snapshot {
  readonly census: Census;
  readonly isExact: boolean;
}

/** Audits the pool. Reads all of the control region: milliseconds for ten thousand pages. */
export function auditPool(port: Port): AuditReport {
  let snapshot = takeSnapshot(port);
  // A thread that is done with the pool only reads: it has no port to act by.
  const mayAct = !port.isGone;
  const reaped = mayAct && snapshot.isExact && hasQuarantine(port) ? new PortReaper(port).reapQuiet() : [];
  if (reaped.length > 0) snapshot = takeSnapshot(port);
  const { census, isExact } = snapshot;
  const settled = mayAct && isExact ? census.suspicions.filter((each) => settleSuspicion(port, each)) : [];
  return { ...census.findings(), exact: isExact, settled: settled.map(({ page }) => page), reaped };
}

function takeSnapshot(port: Port): Snapshot {
  const before = fingerprint(port);
  const census = new Census(port);
  census.run();
  return { census, isExact: before === fingerprint(port) && !isAnotherInside(port) };
}

/** What changes with everything that threads do: their port blocks, rows, descriptors, hints and lanes. */
function fingerprint({ memory, geometry }: Port): number {
  const { channels, ring, fragmentWordsOffset } = geometry;
  return digestOf(memory, [
    [CONTROL_BASE, fragmentWordsOffset],
    [ring.offset, ring.offset + RING_BYTES],
    ...channels.map((channel) => [channel.offset, channel.ring.slotsOffset] as const),
  ]);
}

/**
 * Whether another port is in the middle of a step, or of moving a count: rows and count are apart then, though nothing
 * moves while its thread is stopped. One that was set aside and did nothing since is not.
 */
function isAnotherInside(port: Port): boolean {
  const { memory, geometry, id: own } = port;
  for (let id = 0; id < geometry.maxPorts; id++) {
    const block = portOffset(geometry, id);
    const isInside =
      loadWord(memory, block + PORT_RECORD_KIND_OFFSET) !== RECORD_NONE ||
      loadWord(memory, block + PORT_COUNTING_OFFSET) !== 0;
    if (id === own || !isInside) continue;
    if (!isQuarantined(claimOf(memory, geometry, id)) || !isQuiet(port, id)) return true;
  }
  return false;
}
