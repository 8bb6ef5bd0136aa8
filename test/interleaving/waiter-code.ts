// Threads that wait, as runs of explored threads; and what must be so when nobody goes on.
//
// A thread that sleeps goes on when its bell has moved. It remembers at which events it was chosen from one run to the
// next: that is made anew for each schedule.

import {
  ENTRY_BYTES,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  REPLY_ANSWERED,
  REPLY_FAILED,
  REPLY_STATE_MASK,
} from '../../assembly/layout.js';
import { replyOffset } from '../../src/control/calls.js';
import { claimOf } from '../../src/control/claims.js';
import { hasFreeToken, loadWord, poolEvents } from '../../src/control/nodes.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import { isTakerFree } from '../../src/port/bell.js';
import type { Patch } from './build-model.js';
import type { End } from './explorer.js';
import type { ModelPool } from './model.js';
import type * as Real from './real-waiter.js';
import type { Kind, ModelEvent, Wanted } from './real-waiter.js';
import { loadSuspendable } from './suspend/bundle.js';
import type { Run } from './thread.js';

const ENTRY = 'test/interleaving/real-waiter.ts';

type WaiterCode = typeof Real;
/** Rewritten it returns generators, whatever its types say. */
type Steps = ReturnType<Run['run']>;
type WaiterEngine = ModelEvent['engine'];

/** Whoever runs the code performs its calls of the engine. */
const NO_ENGINE = {} as WaiterEngine;

let code = await loadWaiterCode([]);

function loadWaiterCode(faults: readonly Patch[]): Promise<WaiterCode> {
  return loadSuspendable<WaiterCode>(ENTRY, faults, true);
}

/** Explores with faults in the code until the returned function is called. */
export async function breakWaiterCode(faults: readonly Patch[]): Promise<() => void> {
  const whole = code;
  code = await loadWaiterCode(faults);
  return () => {
    code = whole;
  };
}

function seatOf({ memory, geometry }: ModelPool, id: number) {
  return { id, claim: claimOf(memory, geometry, id), memory, geometry };
}

/** What the thread remembers of an event. */
function eventOf(pool: ModelPool, id: number, kind: Kind): ModelEvent {
  const thread = pool.instances[id]!;
  thread.kept ??= new Map<Kind, ModelEvent>();
  const events = thread.kept as Map<Kind, ModelEvent>;
  let event = events.get(kind);
  if (event === undefined) {
    event = new code.ModelEvent(NO_ENGINE, kind, seatOf(pool, id));
    events.set(kind, event);
  }
  return event;
}

function waiting(name: string, kind: Kind, wanted: Partial<Wanted> = {}): Run {
  return {
    name,
    isContinued: true,
    run: (pool, id) => {
      const all = { address: pool.scratch(id), handle: 0, tag: 0, isPeek: false, ...wanted };
      return code.waitFor(seatOf(pool, id), NO_ENGINE, eventOf(pool, id, kind), all) as unknown as Steps;
    },
  };
}

/** Waits for an entry: 1, -1 when the wait is given up, -2 when the channel is closed and empty. */
export const waitToReceive: Run = waiting('wait to receive', 'entries');
/** Waits until there is an entry, and takes none. */
export const waitForEntry: Run = waiting('wait for an entry', 'entries', { isPeek: true });
/** Waits until the page is sent: as above. */
export const waitToSend = (handle: number, tag: number): Run => waiting('wait to send', 'room', { handle, tag });
/** Waits for a page: its handle, or -1. */
export const waitForPage: Run = waiting('wait for a page', 'pages');

/** Waits until the page is lent: 1, or -1. */
export const waitToLend = (handle: number): Run => waiting('wait to lend', 'tokens', { handle });

/** Waits for that many pages at one time: how many, or -1; their handles are in the port's scratch. */
export const waitForPages = (count: number): Run => ({
  name: 'wait for several pages',
  isContinued: true,
  run: (pool, id) => {
    const [pages, taker] = [eventOf(pool, id, 'pages'), eventOf(pool, id, 'taker')];
    const address = pool.scratch(id);
    return code.waitForSeveral(seatOf(pool, id), NO_ENGINE, pages, taker, count, address) as unknown as Steps;
  },
});

/** Waits for an entry or a page: 1 or 2, or -1. */
export const waitForEither: Run = {
  name: 'wait for either',
  isContinued: true,
  run: (pool, id) => {
    const wanted = { address: pool.scratch(id), handle: 0, tag: 0, isPeek: false };
    const [entries, pages] = [eventOf(pool, id, 'entries'), eventOf(pool, id, 'pages')];
    return code.waitForEither(seatOf(pool, id), NO_ENGINE, entries, pages, wanted) as unknown as Steps;
  },
};

/** Waits for the answer of a call: 1 when it came, 2 when the call failed, -1 when it was given up. */
export const waitForAnswer = (call: number): Run => ({
  name: 'wait for the answer',
  run: (pool, id) => {
    const at = pool.scratch(id) + 2 * ENTRY_BYTES;
    return code.waitForAnswer(seatOf(pool, id), NO_ENGINE, call, at) as unknown as Steps;
  },
});

/** Pays what a wait that only looked left owing. */
export const settleEntries: Run = {
  name: 'settle',
  isContinued: true,
  run: (pool, id) => code.settleEvent(NO_ENGINE, eventOf(pool, id, 'entries')) as unknown as Steps,
};

/** Does what others ask, whenever the bell is rung; never ends. */
export const idle: Run = {
  name: 'idle',
  run: (pool, id) => code.idle(seatOf(pool, id), NO_ENGINE) as unknown as Steps,
};

/** Throws where a thread sleeps, and what it waits for is there; or where a bit is left of one that does not wait. */
export function requireNoneMissed({ pool, asleep, dead, places }: End): void {
  const { memory, geometry } = pool;
  for (const id of asleep) {
    for (let slot = 0; slot < geometry.replyCount; slot++) {
      const state = loadWord(memory, replyOffset(geometry, id, slot)) & REPLY_STATE_MASK;
      const isOver = state === REPLY_ANSWERED || state === REPLY_FAILED;
      if (isOver) throw new Error(`lost wake-up: thread ${id} sleeps, and its call is over`);
    }
    const engine = createTypeScriptEngine({ memory, portId: id });
    for (const event of ((pool.instances[id]!.kept as Map<Kind, ModelEvent>) ?? new Map()).values()) {
      if (!(event.isArmed || event.isArmedForSeveral)) continue;
      const { kind, units } = event;
      const free = places.filter((place) => /^(?:cache|ring|retired|fresh)/.test(place)).length;
      const isThere: Record<Kind, () => boolean> = {
        pages: () => free >= units,
        room: () => engine.canSend(0, 1) !== 0,
        entries: () => engine.canReceive(0) !== 0,
        tokens: () => hasFreeToken(pool),
        taker: () => isTakerFree(memory),
      };
      if (isThere[kind]()) throw new Error(`lost wake-up: thread ${id} sleeps, and there are ${kind}`);
    }
  }
  if (!isTakerFree(memory)) throw new Error('nobody looks for several pages, and the taker word names a port');
  for (const event of poolEvents(geometry)) {
    for (const word of [EVENT_ONE_OFFSET, EVENT_SEVERAL_OFFSET]) {
      const bits = loadWord(memory, event + word);
      const others = pool.instances.filter(({ id }) => !asleep.includes(id) && !dead.includes(id)).map(({ id }) => id);
      for (const id of others)
        if (((bits >>> id) & 1) === 1) throw new Error(`thread ${id} does not wait, and its bit is left`);
    }
  }
}
