// Detaching: a thread returns what its port has and leaves.
//
// Cached pages go to the ring, entries that the thread had received in a batch but not taken go back into their
// channels, and references that it still holds are released if the caller asks for it. Afterwards the port is as good
// as new.

import { ERR_PIN } from '../../assembly/layout.js';
import { PoolMemory } from '../control/memory.js';
import { leaveCalls, returnInbox } from '../control/messages.js';
import { rowIndex } from '../control/places.js';
import { pinnedPages } from '../control/state.js';
import { runSteps } from '../control/steps.js';
import { closedEngine } from '../engine/closed.js';
import { invalidArgument } from '../errors.js';
import { leave, type Port, shrink } from './port.js';
import { idleScratch } from './scratch.js';

/**
 * Empties this thread's port.
 *
 * @param release whether references that the thread holds are released
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it holds references and `release` is false; the port goes on
 *   then
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
  runSteps(leaveCalls(port, port.scratch.ownAddress), () => engine);
  geometry.channels.forEach((_, index) => {
    const steps = returnInbox(port, index, port.scratch.ownAddress, { returnedEntries: 0, droppedEntries: 0 });
    runSteps(steps, () => engine);
  });
  engine.park();
}

/** The references that this thread holds on each page. */
function ownRow({ id, memory, geometry }: Port): Uint16Array {
  const start = rowIndex(geometry, id, 0);
  return memory.u16.subarray(start, start + geometry.pageCount + 1);
}

/**
 * Takes the memory away from a port that is gone: its calls refuse from now on. After the pool's end what is left is a
 * copy of the control region, so that reports still work and an object that somebody keeps holds no pages; pins are
 * undone in the memory itself, as long as there are any.
 */
export function leaveMemory(port: Port, isDestroyed: boolean): void {
  const { engine, geometry, memory } = port;
  const hasPins = isDestroyed && pinnedPages(port) !== 0;
  const unpin = hasPins ? engine.unpin : isDestroyed ? () => ERR_PIN : closedEngine.unpin;
  const refusing = { ...closedEngine, kind: engine.kind, unpin };
  leave(port, refusing);
  if (!isDestroyed) return;
  // A copy of views on shared memory is shared with nobody.
  const copy = new Uint8Array(memory.u32.buffer, 0, geometry.controlBytes).slice();
  shrink(port, new PoolMemory(copy.buffer), idleScratch());
}
