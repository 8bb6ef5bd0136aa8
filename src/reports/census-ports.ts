// The census of the ports: nodes that are theirs, what a port must not have when it is free, and whether counters add
// up.
//
// Reads only. The invariants by number: I5 what a port calls its own is its own, I8 a port that left has nothing and a
// pool ends with its ports, I9 pages that were allocated against pages that were recycled.

import {
  CLAIM_FREE,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  COUNTER_FAST,
  COUNTER_RECYCLED,
  COUNTER_REFILL,
  COUNTER_RELEASED_REFCNT,
  COUNTER_SLOW,
  HEADER_REAPS_OFFSET,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  NODE_OWNER_OFFSET,
  PORT_COUNTING_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  RECORD_NONE,
  STATE_ACTIVE,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { claimOf } from '../control/claims.js';
import type { RingGeometry } from '../control/geometry.js';
import {
  cachedPages,
  counterSum,
  entryHandles,
  heldPages,
  laneOffset,
  loadWord,
  nodeOffset,
} from '../control/nodes.js';
import { portOffset } from '../control/places.js';
import { poolState, runningPorts } from '../control/state.js';
import type { Port } from '../port/port.js';

type Report = (error: string) => void;

/** Every port: its nodes (I5), and what it may have (I8). */
export function checkPorts(port: Port, report: Report): void {
  const { memory, geometry } = port;
  for (let id = 0; id < geometry.maxPorts; id++) {
    checkNodes(port, id, report);
    if ((claimOf(memory, geometry, id) & CLAIM_STATE_MASK) === CLAIM_FREE) checkFree(port, id, report);
  }
  if (poolState(memory) !== STATE_DESTROYED) return;
  for (const id of runningPorts(port)) report(`I8 port ${id} runs in a destroyed pool (expected it to have parked)`);
}

/** The nodes that a port works on carry its name: whoever took one by an exchange has written it. */
function checkNodes({ memory, geometry }: Port, id: number, report: Report): void {
  const check = (ring: RingGeometry, holder: number, what: string): void => {
    const node = loadWord(memory, holder);
    if (node >= ring.nodeCount) return; // I2 reports it
    const owner = loadWord(memory, nodeOffset(ring, node) + NODE_OWNER_OFFSET);
    if (owner !== id + 1) report(`I5 ${what} of port ${id} names owner ${owner} (expected ${id + 1}, the port itself)`);
  };
  const block = portOffset(geometry, id);
  check(geometry.ring, block + PORT_LOADED_OFFSET, 'the loaded magazine');
  check(geometry.ring, block + PORT_MERGE_OFFSET, 'the merge magazine');
  for (const channel of geometry.channels) {
    const lane = laneOffset(channel, id);
    check(channel.ring, lane + LANE_INBOX_OFFSET, `the inbox in channel "${channel.name}"`);
    check(channel.ring, lane + LANE_OUTBOX_OFFSET, `the outbox in channel "${channel.name}"`);
  }
}

/** A port that nobody has: no page, no reference, no entry, no step under way. */
function checkFree(port: Port, id: number, report: Report): void {
  const { memory, geometry } = port;
  const block = portOffset(geometry, id);
  const reportIt = (what: string): void => report(`I8 port ${id} is free and ${what} (expected it to have nothing)`);
  const cached = cachedPages(memory, geometry, id);
  if (cached !== 0) reportIt(`caches ${cached} pages`);
  const open = loadWord(memory, block + PORT_FRAGMENT_PAGE_OFFSET);
  if (open !== 0) reportIt(`has page ${open} open for fragments`);
  for (const page of heldPages(port, id)) reportIt(`holds page ${page}`);
  for (const channel of geometry.channels) {
    for (const holder of [LANE_INBOX_OFFSET, LANE_OUTBOX_OFFSET]) {
      const left = entryHandles(memory, channel, loadWord(memory, laneOffset(channel, id) + holder)).length;
      if (left > 0) reportIt(`has ${left} entries of channel "${channel.name}"`);
    }
  }
  if (loadWord(memory, block + PORT_RECORD_KIND_OFFSET) !== RECORD_NONE) reportIt('is inside a step');
  if (loadWord(memory, block + PORT_COUNTING_OFFSET) !== 0) reportIt('is about to move a count');
}

/**
 * Pages that were allocated are out, or were recycled (I9). Counted before the step or behind it, so a death leaves one
 * of them wrong: checked where no port was reaped. A pool that closes takes pages back without counting.
 */
export function checkAllocations(port: Port, used: number, report: Report): void {
  const { memory } = port;
  const reaps = loadWord(memory, CONTROL_BASE + HEADER_REAPS_OFFSET);
  if (poolState(memory) !== STATE_ACTIVE || reaps !== 0) return;
  const allocated = counterSum(port, [COUNTER_FAST, COUNTER_SLOW, COUNTER_REFILL]);
  const [recycled, left] = [counterSum(port, [COUNTER_RECYCLED]), counterSum(port, [COUNTER_RELEASED_REFCNT])];
  if (allocated === recycled + left + used) return;
  report(
    `I9 alloc.fast + slow + refill = ${allocated} (expected ${recycled + left + used}: ${recycled} recycled, ${left} left pinned, ${used} out)`,
  );
}
