// The owner's shipped code, rewritten, as runs of explored threads; and what must be so when all of them are done.
//
// An owner remembers which pages are out, and on which it has a pin (Office). That is made anew for each schedule, from
// what `own` was told before, and lives in the owner's thread from one run to the next.

import {
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  HOME_HELD,
  HOME_LEFT,
  HOME_RETURNED,
  HOME_STATE_MASK,
  PIN_COUNT_MASK,
} from '../../assembly/layout.js';
import { claimOf, claimPort, freePort, isAttached } from '../../src/control/claims.js';
import { descriptorAt, rowIndex } from '../../src/control/places.js';
import type { Engine } from '../../src/engine/engine.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import { publish, takeOffice } from '../../src/supply/owner-words.js';
import type { Patch } from './build-model.js';
import { checkConservation, type Places } from './conservation.js';
import type { ModelPool } from './model.js';
import type { Request } from './procedure.js';
import type * as Real from './real-owner.js';
import type { ModelArea, Office } from './real-owner.js';
import { loadSuspendable } from './suspend/bundle.js';
import { nothingRead, PLAIN, suspension } from './suspend/suspension.js';
import type { Run } from './thread.js';

const ENTRY = 'test/interleaving/real-owner.ts';
/** Threads of the model have no number, so nobody asks the runtime for it. */
const NO_THREAD: Patch = {
  file: 'src/platform/thread.ts',
  find: 'return (workerThreads()?.threadId ?? -1) + 1;',
  replace: 'return 0;',
};

type OwnerCode = typeof Real;
/** Rewritten it returns generators, whatever its types say. */
type Steps = ReturnType<Run['run']>;

function loadOwnerCode(faults: readonly Patch[]): Promise<OwnerCode> {
  return loadSuspendable<OwnerCode>(ENTRY, [NO_THREAD, ...faults], true);
}

let code = await loadOwnerCode([]);

/** Explores with faults in the code until the returned function is called. */
export async function breakOwnerCode(faults: readonly Patch[]): Promise<() => void> {
  const whole = code;
  code = await loadOwnerCode(faults);
  return () => {
    code = whole;
  };
}

/** What an owner begins with. */
interface Beginning {
  readonly id: number;
  readonly areas: readonly ModelArea[];
  readonly out: readonly number[];
}

const beginnings = new WeakMap<ModelPool, Beginning>();
/** Where each page was when all threads were done and the owner had looked once more. */
const placesThen = new WeakMap<ModelPool, Places>();

function seatOf({ memory, geometry }: ModelPool, id: number): Office['owner'] {
  // Whoever runs the code performs its calls of the engine.
  return { id, claim: claimOf(memory, geometry, id), memory, geometry, engine: {} as Office['owner']['engine'] };
}

/** Before schedules: port `id` is the owner's, the areas are there, and these pages were fed and not taken yet. */
export function own(
  pool: ModelPool,
  areas: readonly (readonly [firstPage: number, pages: number])[],
  fed: readonly number[],
  id = 0,
): void {
  const engine = createTypeScriptEngine({ memory: pool.memory, portId: id });
  const seat = { ...seatOf(pool, id), engine };
  takeOffice(seat);
  if (fed.length > 0) publish(seat, fed, pool.geometry.ownPages > 0);
  const own = areas.map(([firstPage, pages]) => ({
    firstPage,
    pages,
    isRetiring: false,
    isGone: false,
    isWaiting: false,
  }));
  beginnings.set(pool, { id, areas: own, out: fed });
}

function officeOf(pool: ModelPool): Office {
  const { id, areas, out } = beginnings.get(pool)!;
  const thread = pool.instances[id]!;
  // Not a step: it only makes what the owner remembers.
  thread.kept ??= openOffice(seatOf(pool, id), areas, out);
  return thread.kept as Office;
}

function openOffice(owner: Office['owner'], areas: readonly ModelArea[], fed: readonly number[]): Office {
  const { ownPages, pageCount } = owner.geometry;
  const isOut = new Uint8Array(pageCount + 1);
  for (const page of fed) isOut[page] = 1;
  return {
    owner,
    recall: new code.Recall(owner),
    areas: areas.map((area) => ({ ...area })),
    isOut,
    out: {
      add: (page) => isOut.fill(1, page, page + 1),
      delete: (page) => isOut.fill(0, page, page + 1),
    },
    isReserve: ownPages > 0,
  };
}

/** One call of the owner: `what` begins it. */
function ownersRun(name: string, what: (office: Office) => unknown): Run {
  return {
    name,
    isContinued: true,
    run: (pool) => {
      const office = officeOf(pool);
      return suspension.mark(runAndLook(pool, office, what(office) as Steps));
    },
  };
}

function* runAndLook(pool: ModelPool, { areas }: Office, steps: Steps): Steps {
  const result = yield* steps;
  for (const area of areas) if (area.isGone) requireGone(pool, area);
  return result;
}

/** The owner retires an area: its pages are called home. */
export const retireArea = (index = 0): Run => ownersRun('retire', (office) => code.retireArea(office, index));
/** The owner keeps the area after all. */
export const keepArea = (index = 0): Run => ownersRun('keep', (office) => code.keepArea(office, index));
/** The owner feeds pages. */
export const feed = (...pages: number[]): Run => ownersRun('feed', (office) => code.feed(office, pages));
/** The owner feeds every page that is with the provider. */
export const feedHome: Run = ownersRun('feed home', (office) => code.feedHome(office));
/** The owner adds an area and feeds its pages: more than 0 if they are listed. */
export const addArea = (index: number, epoch: number): Run =>
  ownersRun('add', (office) => code.addArea(office, index, epoch));
/** The owner lists pages that wait for threads to know their area, if they do: more than 0 then. */
export const listWaiting = (index: number, epoch: number): Run =>
  ownersRun('list', (office) => code.listWaiting(office, index, epoch));
/** The owner takes pages back that were fed and never listed. */
export const takeWaiting = (index: number): Run => ownersRun('hide', (office) => code.takeWaiting(office, index));
/** The owner tells threads that ask of all areas: how many. */
export const answerAsking = (epoch: number): Run => ownersRun('answer', (office) => code.answerAsking(office, epoch));
/** The same where the platform refuses to tell them. */
export const answerInVain: Run = ownersRun('answer in vain', (office) => code.answerInVain(office));
/** The owner takes what came home, and an area whose last page that was is gone. */
export const collect: Run = ownersRun('collect', (office) => code.collect(office));
/** The owner does whatever is due: pages that are wanted are fed. */
export const serve: Run = ownersRun('serve', (office) => code.serve(office));
/** The owner takes back what was fed, and what came home. */
export const trim: Run = ownersRun('trim', (office) => code.trim(office));
/** The owner leaves a pool that lives on. */
export const leaveOffice: Run = ownersRun('leave', (office) => code.leaveOffice(office));
/** The owner takes what came home after the pool's end. */
export const takeAtEnd: Run = ownersRun('take at the end', (office) => code.takeAllAtEnd(office));

/** From the moment at which an area is gone nobody may have a page of it. */
function requireGone(pool: ModelPool, { firstPage, pages }: ModelArea): void {
  for (let page = firstPage; page < firstPage + pages; page++) {
    const state = homeOf(pool, page);
    if (state !== HOME_RETURNED) throw new Error(`the area is gone, and its page ${page} has state ${state}`);
    // The row of a thread that died in the step by which it let go is settled by whoever reaps it.
    for (const { id, isDead } of pool.instances)
      if (!isDead && rowOf(pool, id, page) !== 0)
        throw new Error(`the area is gone, and port ${id} holds page ${page}`);
  }
}

/** The thread leaves word that it wants pages: 1 if the owner is called. */
export const wantPages = (count: number): Run => ({
  name: 'want',
  run: (pool, id) => code.wantPages(seatOf(pool, id), count) as unknown as Steps,
});

/** The thread attaches, and knows the areas of that epoch: more than 0 if it may have pages. */
export const attachKnowing = (epoch: number): Run => ({
  name: 'attach',
  run: ({ memory, geometry }) => code.attachKnowing(memory, geometry, epoch) as unknown as Steps,
});

/** The thread learns of the areas of that epoch, if there is one: more than 0 if it may have pages. */
export const receiveAreas = (epoch: number): Run => ({
  name: 'receive areas',
  run: (pool, id) => code.receiveAreas(seatOf(pool, id), epoch) as unknown as Steps,
});

// ---------------------------------------------------------------------------------- when all threads are done

function homeOf({ geometry, memory }: ModelPool, page: number): number {
  return memory.u32[(descriptorAt(geometry, page) + DESCRIPTOR_HOME_OFFSET) >>> 2]! & HOME_STATE_MASK;
}

function pinsOf({ geometry, memory }: ModelPool, page: number): number {
  return memory.u32[(descriptorAt(geometry, page) + DESCRIPTOR_PINS_OFFSET) >>> 2]!;
}

function rowOf({ geometry, memory }: ModelPool, id: number, page: number): number {
  return memory.u16[rowIndex(geometry, id, page)]!;
}

/** Runs the owner's code straight through. */
function runStraight(pool: ModelPool, id: number, begun: unknown): number {
  const steps = begun as Generator<Request, number, number>;
  const engine = createTypeScriptEngine({ memory: pool.memory, portId: id });
  const reads = nothingRead();
  const calls: number[] = [];
  for (let answer: number | undefined; ; ) {
    suspension.enter(reads, calls);
    const { done, value } = steps.next(answer as number);
    suspension.leave(reads);
    answer = undefined;
    if (done === true) return value;
    if (value === undefined || value === PLAIN || !('call' in value)) continue;
    const [name, ...args] = value.call;
    answer = (engine[name as keyof Engine] as unknown as (...args: number[]) => number | undefined)(...args) ?? 0;
  }
}

/** Where each page was when all threads were done, and the owner, if there is one, had looked once more. */
export function placesAtEnd(pool: ModelPool): Places {
  return placesThen.get(pool) ?? [];
}

/**
 * When all threads are done, and the dead ones reaped: the owner looks once more, everybody lets go of everything, and
 * every page comes home. Where the owner is gone they come as far as they can without it.
 */
export function requireHome(pool: ModelPool): void {
  const { memory, geometry } = pool;
  const { id: ownerId } = beginnings.get(pool)!;
  const owner = pool.instances[ownerId]!;
  const hasDeath = pool.instances.some(({ isDead }) => isDead);
  const isServing = !owner.isDead && isAttached(claimOf(memory, geometry, ownerId));
  const office = officeOf(pool);
  if (isServing) {
    runStraight(pool, ownerId, code.collect(office));
    requireCalled(pool, office);
  }
  placesThen.set(pool, checkConservation(pool, hasDeath));
  const live = pool.instances.filter(({ id, isDead }) => !isDead && isAttached(claimOf(memory, geometry, id)));
  const last = live.at(-1)?.id ?? claimPort(memory, geometry);
  for (const { id } of live) letGo(pool, id);
  const engine = createTypeScriptEngine({ memory, portId: last });
  engine.trim();
  if (isServing) runStraight(pool, ownerId, code.trim(office));
  // What is pinned now is so by those who use pages.
  unpinAll(pool, engine);
  if (isServing) runStraight(pool, ownerId, code.trim(office));
  requireProviders(pool, isServing, owner.isDead);
}

/** Every page of a retiring area is home, or will come there with its last release: somebody has a pin on it. */
function requireCalled(pool: ModelPool, { areas, isOut }: Office): void {
  for (const { firstPage, isRetiring, pages } of areas) {
    for (let page = firstPage; isRetiring && page < firstPage + pages; page++) {
      const state = homeOf(pool, page);
      const isCalled = (state === HOME_HELD || state === HOME_LEFT) && (pinsOf(pool, page) & PIN_COUNT_MASK) > 0;
      if (isOut[page] !== 0 && !isCalled)
        throw new Error(`page ${page} of a retiring area is not called: state ${state}`);
      if (isOut[page] === 0 && state !== HOME_RETURNED) throw new Error(`page ${page} is home: state ${state}`);
    }
  }
}

/** A live thread releases all that it holds, and its cache. */
function letGo(pool: ModelPool, id: number): void {
  const engine = createTypeScriptEngine({ memory: pool.memory, portId: id });
  for (let page = 1; page <= pool.geometry.pageCount; page++) {
    const row = rowOf(pool, id, page);
    if (row > 0) engine.releaseHeld(page, row);
  }
  engine.park();
}

/** No page is in circulation; where the owner serves, each page of an area is with its provider, without a pin. */
function requireProviders(pool: ModelPool, isServing: boolean, isOwnerDead: boolean): void {
  const { ownPages, pageCount } = pool.geometry;
  for (let page = 1; page <= pageCount; page++) {
    const state = homeOf(pool, page);
    const pins = pinsOf(pool, page) & PIN_COUNT_MASK;
    const isHome = isServing && page > ownPages ? state === HOME_RETURNED : state !== HOME_HELD && state !== HOME_LEFT;
    if (!isHome) throw new Error(`everybody is done, and page ${page} has state ${state}`);
    if (pins > (isOwnerDead ? 1 : 0)) throw new Error(`everybody is done, and page ${page} has ${pins} pins`);
  }
}

/** The same where an area is new: when every thread has learned of it, its pages are listed. */
export function requireListed(pool: ModelPool, index: number, epoch: number): void {
  const { memory, geometry } = pool;
  const { id } = beginnings.get(pool)!;
  const { areas } = officeOf(pool);
  const isServing = !pool.instances[id]!.isDead && areas[index]!.isWaiting;
  if (isServing) {
    runStraight(pool, id, code.answerAsking(officeOf(pool), epoch));
    const others = pool.instances.filter((thread) => thread.id !== id && !thread.isDead);
    for (const other of others)
      if (isAttached(claimOf(memory, geometry, other.id)))
        runStraight(pool, other.id, code.receiveAreas(seatOf(pool, other.id), epoch));
    const listed = runStraight(pool, id, code.listWaiting(officeOf(pool), index, epoch));
    if (listed === 0) throw new Error('every thread knows the area, and its pages are not listed');
  }
  requireHome(pool);
}

/** The pool is destroyed: what was pinned then comes home with its last unpin. Pins survive their thread. */
export function requireHomeAtEnd(pool: ModelPool): void {
  const { id } = beginnings.get(pool)!;
  unpinAll(pool, createTypeScriptEngine({ memory: pool.memory, portId: 1 - id }));
  if (pool.instances[id]!.isDead) return;
  runStraight(pool, id, code.takeAllAtEnd(officeOf(pool)));
  requireProviders(pool, true, false);
}

/** Undoes the pins of those who use pages that left. */
function unpinAll(pool: ModelPool, engine: Pick<Engine, 'unpin'>): void {
  for (let page = 1; page <= pool.geometry.pageCount; page++) {
    while (homeOf(pool, page) === HOME_LEFT && (pinsOf(pool, page) & PIN_COUNT_MASK) > 0) engine.unpin(page);
  }
}

/** Before schedules: port `id` is nobody's. */
export function freeStraight(pool: ModelPool, id: number): void {
  pool.port(id).park();
  freePort(seatOf(pool, id));
}

/** Before schedules: pages that were fed come back to their provider, and their bits stay. */
export function takeFedBack(pool: ModelPool): void {
  const { id } = beginnings.get(pool)!;
  const office = officeOf(pool);
  runStraight(pool, id, code.trim(office));
  beginnings.set(pool, { ...beginnings.get(pool)!, out: [] });
}
