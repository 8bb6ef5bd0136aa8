// The shipped code around the engine, rewritten, as runs of explored threads; and the same run straight through.

import {
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_SHIFT,
  HOME_HELD,
  HOME_STATE_MASK,
  STATE_ACTIVE,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { claimOf, isAttached, type Seat } from '../../src/control/claims.js';
import { poolState } from '../../src/control/state.js';
import type { Engine } from '../../src/engine/engine.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import type { Patch } from './build-model.js';
import type { ModelPool } from './model.js';
import type * as Real from './real-pool.js';
import * as straight from './real-pool.js';
import { loadSuspendable } from './suspend/bundle.js';
import { suspension } from './suspend/suspension.js';
import type { Run } from './thread.js';

const ENTRY = 'test/interleaving/real-pool.ts';
/** Threads of the model have no number, so nobody asks the runtime for it. */
const NO_THREAD: Patch = {
  file: 'src/platform/thread.ts',
  find: 'return (workerThreads()?.threadId ?? -1) + 1;',
  replace: 'return 0;',
};

type PoolCode = typeof Real;

function loadPoolCode(faults: readonly Patch[]): Promise<PoolCode> {
  return loadSuspendable<PoolCode>(ENTRY, [NO_THREAD, ...faults], true);
}

/** Rewritten it returns generators, whatever its types say. */
type Steps = ReturnType<Run['run']>;

let code = await loadPoolCode([]);

/** Explores with faults in the code until the returned function is called. */
export async function breakPoolCode(faults: readonly Patch[]): Promise<() => void> {
  const whole = code;
  code = await loadPoolCode(faults);
  return () => {
    code = whole;
  };
}

/** Whoever ends a pool, and the engine of its port. */
type Closer = Seat & { readonly engine: Engine };

function closerOf({ memory, geometry }: ModelPool, id: number): Closer {
  return {
    id,
    claim: claimOf(memory, geometry, id),
    memory,
    geometry,
    engine: createTypeScriptEngine({ memory, portId: id }),
  };
}

/** The thread begins to end the pool. */
export const beginEnding: Run = {
  name: 'begin to end',
  run: (pool, id) => code.beginEnding(closerOf(pool, id)) as unknown as Steps,
};

/** The thread goes on ending the pool if whoever began is gone: 1. */
export const takeOver: Run = {
  name: 'take over',
  run: (pool, id) => code.takeOver(closerOf(pool, id)) as unknown as Steps,
};

/** The thread begins to end the pool if whoever created it is gone: 1. */
export const endInPlace: Run = {
  name: 'end in place of the creator',
  run: (pool, id) => endSteps(closerOf(pool, id)) as unknown as Steps,
};

function* endSteps(closer: Closer): Generator<unknown, number> {
  if (!(yield* code.mayEnd(closer) as unknown as Generator<unknown, boolean>)) return 0;
  yield* code.beginEnding(closer) as unknown as Generator<unknown, void>;
  return 1;
}

/** The thread looks whether everything is home, which destroys the pool: 1. */
export const destroyIfHome: Run = {
  name: 'destroy if home',
  run: (pool, id) => suspension.mark(destroyAndLook(pool, code.destroyIfHome(closerOf(pool, id)) as unknown as Steps)),
};

/** Nothing may be out at the very moment at which a pool is destroyed. */
function* destroyAndLook(pool: ModelPool, steps: Steps): Steps {
  const isDestroyed = yield* steps;
  if (isDestroyed) requireHome(pool);
  return isDestroyed;
}

/**
 * Throws when a port holds a reference, or a page is neither with its provider nor left to those who have it pinned.
 */
function requireHome({ memory, geometry }: ModelPool): void {
  const { pageCount, maxPorts, descriptorsOffset, ledgersOffset, ledgerBytes } = geometry;
  for (let page = 1; page <= pageCount; page++) {
    const home = memory.u32[(descriptorsOffset + (page << DESCRIPTOR_SHIFT) + DESCRIPTOR_HOME_OFFSET) >>> 2]!;
    if ((home & HOME_STATE_MASK) === HOME_HELD) throw new Error(`destroyed, and page ${page} is in circulation`);
    for (let id = 0; id < maxPorts; id++) {
      const row = memory.u16[(ledgersOffset + id * ledgerBytes + 2 * page) >>> 1];
      if (row !== 0) throw new Error(`destroyed, and port ${id} holds page ${page}`);
    }
  }
}

/** The thread attaches: more than 0 if the pool takes it in. */
export const attach: Run = {
  name: 'attach',
  run: ({ memory, geometry }) => code.attach(memory, geometry) as unknown as Steps,
};

/** The thread leaves its port, which is empty. */
export const leave: Run = {
  name: 'leave',
  run: ({ memory, geometry }, id) => code.leave(memory, geometry, id) as unknown as Steps,
};

/**
 * When all threads are done, and the dead ones reaped: every live port hears that the pool closes, and then the thread,
 * or whoever is left, destroys it.
 */
export function requireEnd(pool: ModelPool, thread: number): void {
  const { memory, geometry } = pool;
  const live = pool.instances.filter(({ id, isDead }) => !isDead && isAttached(claimOf(memory, geometry, id)));
  const closer = closerOf(pool, (live.find(({ id }) => id === thread) ?? live[0])?.id ?? thread);
  if (poolState(memory) === STATE_ACTIVE) straight.beginEnding(closer);
  for (const { id } of live) createTypeScriptEngine({ memory, portId: id }).poll();
  if (poolState(memory) === STATE_DESTROYED) return;
  createTypeScriptEngine({ memory, portId: closer.id }).scrub();
  if (!straight.destroyIfHome(closer)) throw new Error('everybody is done, and the pool does not end');
}

/** Port `id` begins to end the pool, and is reaped before it has ended, all before schedules. */
export function beginEndingAndDie(pool: ModelPool, id: number): void {
  straight.beginEnding(closerOf(pool, id));
  leaveStraight(pool, id);
}

/** Port `id` is written down as the creator, and leaves, all before schedules. */
export function createAndLeave(pool: ModelPool, id: number): void {
  straight.nameCreator(closerOf(pool, id));
  leaveStraight(pool, id);
}

/** Frees port `id`, which is empty, before schedules. */
export function leaveStraight(pool: ModelPool, id: number): void {
  pool.port(id).park();
  straight.leave(pool.memory, pool.geometry, id);
}
