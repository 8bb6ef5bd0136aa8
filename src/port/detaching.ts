// Detaching: a thread gives back what its port has and leaves.
//
// Cached pages go to the ring, entries that the thread had received in a batch but not taken go back into their channels, and
// references that it still holds are released if the caller says so. Afterwards the port is as good as new.

import { ERR_PIN, LANE_DROPPED_OFFSET } from '../../assembly/layout.js';
import type { ChannelGeometry } from '../control/geometry.js';
import { PoolMemory } from '../control/memory.js';
import { ENTRY_WORDS, moreMask, nextMessage } from '../control/messages.js';
import { laneOffset } from '../control/nodes.js';
import { rowIndex } from '../control/places.js';
import { pinnedPages } from '../control/state.js';
import { closedEngine } from '../engine/closed.js';
import { invalidArgument } from '../errors.js';
import { leave, type Port } from './port.js';
import { idleScratch } from './scratch.js';

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
  const start = rowIndex(geometry, id, 0);
  return memory.u16.subarray(start, start + geometry.pageCount + 1);
}

/**
 * Sends what is left in the inbox again, each message whole; what the channel does not take (it is closed, or full) is dropped and
 * counted, and so is the rest of a message whose first entries were received.
 */
function returnInbox({ id, memory, engine, scratch }: Port, channel: ChannelGeometry, index: number): void {
  for (;;) {
    const { entries, isRest } = nextMessage(memory, channel, id);
    if (entries === 0 || engine.receiveBurst(index, scratch.ownAddress, entries) === 0) return;
    if (!isRest && engine.sendBurst(index, scratch.ownAddress, entries, moreMask(entries)) !== 0) continue;
    for (let i = 0; i < entries; i++) engine.release(scratch.own[i * ENTRY_WORDS] as number);
    // Plain: a lane's counters are its port's own.
    const dropped = (laneOffset(channel, id) + LANE_DROPPED_OFFSET) >>> 2;
    memory.u32[dropped] = (memory.u32[dropped] as number) + entries;
  }
}

/**
 * Takes the memory away from a port that is gone: its calls refuse from now on. After the pool's end what is left is a copy of the
 * control region, so that reports still work and an object that somebody keeps holds no pages; pins are undone in the memory
 * itself, as long as there are any.
 */
export function leaveMemory(port: Port, isDestroyed: boolean): void {
  const { engine, geometry, memory } = port;
  const hasPins = isDestroyed && pinnedPages(port) !== 0;
  const unpin = hasPins ? engine.unpin : isDestroyed ? () => ERR_PIN : closedEngine.unpin;
  const refusing = { ...closedEngine, kind: engine.kind, unpin };
  if (!isDestroyed) leave(port, refusing);
  else {
    const copy = new PoolMemory(copyOf(memory.u32.buffer, geometry.controlBytes));
    leave(port, refusing, { memory: copy, scratch: idleScratch() });
  }
}

/** The first bytes of a buffer, in one that nobody shares. */
function copyOf(buffer: ArrayBufferLike, bytes: number): ArrayBuffer {
  const copy = new ArrayBuffer(bytes);
  new Uint8Array(copy).set(new Uint8Array(buffer, 0, bytes));
  return copy;
}
