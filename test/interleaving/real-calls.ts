// What threads do with calls, as the explorer's threads run it: engine calls in the order of the public layer, and how
// a port with calls leaves.

import { OK, STATUS_DONE } from '../../assembly/layout.js';
import type { Geometry } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import { leaveCalls, returnInbox } from '../../src/control/messages.js';
import { rowIndex } from '../../src/control/places.js';
import type { Steps } from '../../src/control/steps.js';

const ENTRY_BYTES = 16;

/** Asks with a page that it takes, as the next thread of a port does: the call's number, or a code. */
export function* askWithPage({ u32 }: PoolMemory, at: number): Steps<number> {
  yield { call: ['unpark'] };
  const handle = yield { call: ['alloc'] };
  if (handle === 0) throw new Error('no page');
  u32[at >>> 2] = handle;
  u32[(at + 4) >>> 2] = 0;
  u32[(at + 8) >>> 2] = 64;
  return yield { call: ['ask', 0, at, 1] };
}

/** Serves one call, if there is one: 0 none, 1 answered, 2 the asker wanted it no more. Entries are written at `at`. */
export function* serveCall({ u32 }: PoolMemory, at: number): Steps<number> {
  const came = yield { call: ['accept', 0, at] };
  if (came === 0) return 0;
  const last = at + (came - 1) * ENTRY_BYTES;
  const request = u32[at >>> 2] as number;
  const room = u32[last >>> 2] as number;
  const number = u32[(last + 12) >>> 2] as number;
  if (came === 2) yield { call: ['release', request] };
  if ((yield { call: ['reply', number, room, 0, 8, STATUS_DONE] }) === OK) return 1;
  yield { call: ['release', room] };
  return 2;
}

/** Answers a call that is served with the page that it came with: 1 answered, 2 the asker wanted it no more. */
export function* replyTo(number: number, handle: number): Steps<number> {
  if ((yield { call: ['reply', number, handle, 0, 8, STATUS_DONE] }) === OK) return 1;
  yield { call: ['release', handle] };
  return 2;
}

/** Accepts a call and fails it: 0 none, 1 failed, 2 the asker wanted it no more. */
export function* refuseCall({ u32 }: PoolMemory, at: number): Steps<number> {
  const came = yield { call: ['accept', 0, at] };
  if (came === 0) return 0;
  const handle = u32[at >>> 2] as number;
  const number = u32[(at + 12) >>> 2] as number;
  yield { call: ['release', handle] };
  if (came === 2) yield { call: ['release', u32[(at + ENTRY_BYTES) >>> 2] as number] };
  return (yield { call: ['reply', number, 0, 0, 0, 2] }) === OK ? 1 : 2;
}

/** Collects a call's answer and releases it: 0 there is none yet, 1 answered, 2 failed. */
export function* collectAnswer({ u32 }: PoolMemory, number: number, at: number): Steps<number> {
  if ((yield { call: ['collect', number, at] }) !== OK) return 0;
  const handle = u32[at >>> 2] as number;
  if (handle === 0) return 2;
  yield { call: ['release', handle] };
  return 1;
}

/** Gives a call up, or takes what has come: 0 cancelled, 1 answered, 2 failed. */
export function* cancelCall(memory: PoolMemory, number: number, at: number): Steps<number> {
  if ((yield { call: ['cancel', number] }) === OK) return 0;
  return yield* collectAnswer(memory, number, at);
}

/** What src/port/detaching.ts does with what the thread holds, and with its calls. */
export function* leaveWithCalls(memory: PoolMemory, geometry: Geometry, id: number, at: number): Steps<number> {
  yield { call: ['park'] };
  for (let page = 1; page <= geometry.pageCount; page++) {
    const held = memory.u16[rowIndex(geometry, id, page)] as number;
    if (held !== 0) yield { call: ['releaseHeld', page, held] };
  }
  const leaver = { id, memory, geometry };
  const returned = { returnedEntries: 0, droppedEntries: 0 };
  yield* leaveCalls(leaver, at);
  yield* returnInbox(leaver, 0, at, returned);
  yield { call: ['park'] };
  return returned.returnedEntries;
}
