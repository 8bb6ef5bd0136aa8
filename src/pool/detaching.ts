// Detaching: a thread gives back what its port has and leaves.
//
// Cached pages go to the ring, entries that the thread had received in a batch but not taken go back into their channels, and
// references that it still holds are released if the caller says so. Afterwards the port is as good as new.

import { LANE_DROPPED_OFFSET, LANE_INBOX_OFFSET, NODE_COUNT_OFFSET, NODE_TAKEN_OFFSET } from '../../assembly/layout.js';
import { invalidArgument } from '../errors.js';
import type { ChannelGeometry } from './geometry.js';
import type { Port } from './port.js';
import { laneOffset, loadWord, nodeOffset } from './views.js';

/**
 * Empties this thread's port.
 *
 * @param release whether references that the thread holds are released
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it holds references and `release` is false; the port goes on then
 */
export function emptyPort(port: Port, release: boolean): void {
  const { engine, geometry } = port;
  engine.park();
  const held = ownRow(port).reduce((sum, count) => sum + count, 0);
  if (held !== 0 && !release) {
    if (port.waits === 0) engine.unpark();
    throw invalidArgument('detach', 'references held', held, '0', 'release them, or pass { release: true }');
  }
  for (const [page, count] of ownRow(port).entries()) {
    if (count !== 0) engine.releaseHeld(page, count);
  }
  // After the rows are empty, so that each has room for an entry.
  geometry.channels.forEach((channel, index) => {
    returnInbox(port, channel, index);
  });
  engine.park();
}

/** The references that this thread holds on each page. */
function ownRow({ id, memory, geometry }: Port): Uint16Array {
  const start = (geometry.ledgersOffset + id * geometry.ledgerBytes) >>> 1;
  return memory.u16.subarray(start, start + geometry.pageCount + 1);
}

/** Sends what is left in the inbox again; what the channel does not take (it is closed, or full) is dropped and counted. */
function returnInbox({ id, memory, engine, scratch }: Port, channel: ChannelGeometry, index: number): void {
  const inbox = nodeOffset(channel.ring, loadWord(memory, laneOffset(channel, id) + LANE_INBOX_OFFSET));
  const left = loadWord(memory, inbox + NODE_COUNT_OFFSET) - loadWord(memory, inbox + NODE_TAKEN_OFFSET);
  for (let i = 0; i < left; i++) {
    if (engine.receiveBurst(index, scratch.ownAddress, 1) === 0) return;
    if (engine.sendBurst(index, scratch.ownAddress, 1) !== 0) continue;
    engine.release(scratch.own[0] as number);
    // Plain: a lane's counters are its port's own.
    const dropped = (laneOffset(channel, id) + LANE_DROPPED_OFFSET) >>> 2;
    memory.u32[dropped] = (memory.u32[dropped] as number) + 1;
  }
}
