// The conformance suite: what every provider must stand, ours and others'.
//
// Each check makes pools of its own in this thread, with real memory and both engines, over a witness that checks the
// contract on every call. With a test runner's describe and it the checks are its tests; without, they run one after
// the other and the first that fails throws. Nothing here measures time.

import { loadTypeScript } from '../engine/loaded.js';
import { createTypeScriptEngine } from '../engine/typescript.js';
import { PagePoolError, reasonOf, show } from '../errors.js';
import { letAttachAgain } from '../pool/attached.js';
import { portOf } from '../pool/enrolled.js';
import type { PoolOptions } from '../pool/options.js';
import { PagePool } from '../pool/page-pool.js';
import type { MemoryProvider } from '../provider/provider.js';
import { isOwnMemory } from '../provider/wasm-memory.js';
import { loadOwner } from '../supply/loaded.js';
import { ownerPart } from '../supply/owner-part.js';
import { churn } from './churn.js';
import { InjectedFailure, type Witness, witness } from './witness.js';

/** What is used of a test runner. */
export interface ProviderTestHost {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

/** How the suite is run. */
export interface ProviderTestOptions {
  /**
   * The runner that the checks are registered with; none: they run at once, and the promise is rejected by the first
   * that fails.
   */
  host?: ProviderTestHost | undefined;
  /** For names. */
  name?: string | undefined;
  /** Bytes of a page; 4096 if not given. */
  pageBytes?: number | undefined;
  /** Pages of a pool; 64 if not given. The provider need not have as many. */
  pageCount?: number | undefined;
  /** For the random choices; 1 if not given. */
  seed?: number | undefined;
}

/** What a check works with. */
interface Setting {
  readonly make: () => MemoryProvider;
  readonly engine: 'wasm' | 'typescript';
  readonly options: Readonly<Record<'pageBytes' | 'pageCount' | 'seed', number>>;
}

type Check = readonly [name: string, run: (setting: Setting) => Promise<void>];

/** Faults are injected at so many context calls at most. */
const FAULTS_MAX = 64;

/**
 * Runs a provider through the suite.
 *
 * @param make a new provider for each check; it is called often
 * @throws Error naming what a provider breaks, from the promise where no runner is given, from the runner's tests
 *   otherwise
 *
 * @example
 * import { describe, it } from 'node:test';
 * testProvider(() => myProvider(), { host: { describe, it } });
 */
export async function testProvider(make: () => MemoryProvider, options: ProviderTestOptions = {}): Promise<void> {
  const { host, pageBytes = 4096, pageCount = 64, seed = 1 } = options;
  const name = options.name ?? make().kind;
  loadTypeScript(createTypeScriptEngine);
  loadOwner(ownerPart);
  for (const engine of ['wasm', 'typescript'] as const) {
    const setting: Setting = { make, engine, options: { pageBytes, pageCount, seed } };
    if (host !== undefined) {
      host.describe(`provider ${name}, ${engine} engine`, () => {
        for (const [title, run] of CHECKS) host.it(title, () => run(setting));
      });
      continue;
    }
    for (const [title, run] of CHECKS) {
      try {
        await run(setting);
      } catch (cause) {
        const reason = reasonOf(cause);
        throw new Error(`provider ${name}, ${engine} engine: "${title}" fails: ${reason}`, { cause });
      }
    }
  }
}

const CHECKS: readonly Check[] = [
  [
    'every page has bytes of its own, and an empty pool gives 0',
    (setting) =>
      withPool(setting, {}, async (pool) => {
        const handles = takeAll(pool);
        demand(handles.length > 0, 'a pool has no page at all');
        demand(new Set(handles.map((handle) => handle & 0x3fffffff)).size === handles.length, 'a handle came twice');
        if (pool.isReadable(handles[0] as number)) checkBytes(pool, handles);
        for (const handle of handles) pool.release(handle);
      }),
  ],
  [
    'pages that were returned can be had again',
    (setting) =>
      withPool(setting, {}, async (pool) => {
        const first = takeAll(pool);
        for (const handle of first) pool.release(handle);
        requireBalance(pool);
        pool.trim();
        demand(pool.inflight === 0, `after trim() ${pool.inflight} pages are in flight`);
        const second = takeAll(pool);
        // A provider may feed later than it is asked.
        await until(
          () => second.push(...takeAll(pool)) >= first.length,
          () => `${first.length} pages at first, ${second.length} after trim()`,
        );
        for (const handle of second) pool.release(handle);
      }),
  ],
  [
    'pages that were returned can be had again though others of their areas are held',
    (setting) =>
      withPool(setting, {}, async (pool) => {
        const first = takeAll(pool);
        // The first and the last: of two areas, where there are as many.
        const held = first.length < 3 ? [] : [first.shift() as number, first.pop() as number];
        for (const handle of first) pool.release(handle);
        for (let i = 0; i < 3; i++) pool.trim();
        const second = takeAll(pool);
        await until(
          () => second.push(...takeAll(pool)) >= first.length,
          () => `${first.length} pages at first, ${second.length} beside ${held.length} that are held`,
        );
        for (const handle of [...held, ...second]) pool.release(handle);
        requireBalance(pool);
      }),
  ],
  [
    'fragments of one page do not touch',
    (setting) =>
      withPool(setting, {}, async (pool) => {
        const fragments = Array.from({ length: 12 }, (_, i) => pool.take(1 + ((i * 97) % 300)));
        for (const [i, fragment] of fragments.entries())
          if (fragment !== null && canRead(pool, fragment.handle)) fragment.bytes.fill(i + 1);
        for (const [i, fragment] of fragments.entries()) {
          if (fragment === null) continue;
          if (canRead(pool, fragment.handle))
            demand(
              fragment.bytes.every((byte) => byte === i + 1),
              `fragment ${i} was overwritten`,
            );
          fragment.release();
        }
      }),
  ],
  [
    'random use tears nothing and loses nothing',
    (setting) =>
      withPool(setting, { channels: { work: { capacity: 8 } } }, async (pool) => {
        for (let i = 0; i < 4; i++) {
          const { torn } = churn(pool, { seed: setting.options.seed + i, rounds: 2000, channel: 'work' });
          demand(torn === 0, `${torn} ranges were overwritten by others`);
          requireBalance(pool);
          pool.trim();
        }
        for (let left = pool.channel('work').receive(); left !== null; left = pool.channel('work').receive())
          left.release();
      }),
  ],
  [
    'a pinned page outlasts its users and the pool, where the provider allows it',
    async (setting) => {
      const watch = witness(setting.make());
      const pool = await open(setting, watch, {});
      const handle = mustHave(pool.alloc());
      if (!watch.provider.detachable) {
        demand(codeOf(() => pool.pin(handle)) === 'POOL_ERR_NOT_DETACHABLE', 'a page was pinned');
        pool.release(handle);
        await close(pool, watch);
        return;
      }
      const pin = pool.pin(handle);
      pool.release(handle);
      const others = takeAll(pool);
      for (const each of others) pool.release(each);
      await pool.close();
      demand(
        watch.provider.kind === 'wasm-memory' || watch.open === 1,
        'the provider was ended while a page was pinned',
      );
      pool.unpin(pin);
      await until(() => watch.open === 0, 'the provider was not ended after the last unpin');
      requireFaultless(watch);
    },
  ],
  [
    'two pools on it at one time have nothing in common',
    async (setting) => {
      const watch = witness(setting.make());
      const one = await open(setting, watch, {});
      const other = await open(setting, watch, { pageCount: Math.max(4, setting.options.pageCount >>> 1) });
      const [a, b] = [takeAll(one), takeAll(other)];
      if (a[0] !== undefined && b[0] !== undefined && canRead(one, a[0])) {
        for (const handle of a) one.bytes(handle).fill(1);
        for (const handle of b) other.bytes(handle).fill(2);
        demand(
          a.every((handle) => one.bytes(handle).every((byte) => byte === 1)),
          "one pool's pages are the other's",
        );
      }
      for (const handle of a) one.release(handle);
      await one.close();
      for (const handle of b)
        if (canRead(other, handle)) demand(other.bytes(handle)[0] === 2, 'the end of one pool changed the other');
      for (const handle of b) other.release(handle);
      await close(other, watch);
    },
  ],
  [
    'one pool after the other starts as the first did',
    async (setting) => {
      const watch = witness(setting.make());
      const counts: number[] = [];
      for (let i = 0; i < 3; i++) {
        const pool = await open(setting, watch, {});
        const handles = takeAll(pool);
        counts.push(handles.length);
        for (const handle of handles) pool.release(handle);
        await close(pool, watch);
      }
      demand(
        counts.every((count) => count === counts[0]),
        `the pools had ${counts.join(', ')} pages`,
      );
    },
  ],
  [
    'a context call that fails, whichever it is, is passed on and leaves nothing behind',
    async (setting) => {
      if (isOwnMemory(setting.make())) return; // it makes none
      const { pages } = await failOnce(setting, 0, 0);
      for (let failAt = 1; failAt <= FAULTS_MAX; failAt++) {
        if (!(await failOnce(setting, failAt, pages)).isMet) return;
      }
    },
  ],
  [
    'the owner may leave: pages in circulation stay good, and the provider lets the pool go',
    (setting) => leaveBehind(setting, () => {}),
  ],
  [
    'the owner may leave while areas are on their way out: their pages stay good',
    (setting) => leaveBehind(setting, (watch) => watch.retireAreas()),
  ],
  [
    'describes itself in plain values',
    async (setting) => {
      const provider = setting.make();
      const text = JSON.stringify(provider.describe());
      demand(typeof text === 'string' && text.startsWith('{'), `describe() returns ${show(text)}`);
    },
  ],
];

/** An owner that leaves, and the pages that another thread holds then, and can have afterwards. */
async function leaveBehind(setting: Setting, before: (watch: Witness) => void): Promise<void> {
  const watch = witness(setting.make());
  const pool = await open(setting, watch, {});
  const handles = takeAll(pool);
  mustHave(handles[0] ?? 0);
  for (const handle of handles) pool.release(handle);
  const port = portOf('testProvider', pool);
  letAttachAgain(port);
  const other = port.memory.isShared ? PagePool.attach(pool.share()) : undefined;
  const held: number[] = [];
  if (other !== undefined) {
    // Half of them, at least one: what the owner has in its cache it returns when it is asked.
    await until(() => {
      pool.poll();
      while (held.length < Math.ceil(handles.length / 2)) {
        const handle = other.alloc();
        if (handle === 0) break;
        held.push(handle);
      }
      return held.length > 0;
    }, 'another thread gets no page');
  }
  const { used, cached, ring } = pool.stats().pages;
  before(watch);
  pool.detach();
  demand(isOwnMemory(setting.make()) || watch.open === 0, 'uninstall was not called');
  if (other !== undefined) {
    for (const handle of held) other.release(handle);
    requireBalance(other);
    const left = takeAll(other);
    const circulating = used + cached + ring;
    demand(left.length >= circulating, `${circulating} pages circulated, ${left.length} are left without the owner`);
    if (canRead(other, left[0] as number)) checkBytes(other, left);
    for (const handle of left) other.release(handle);
    other.detach();
  }
  requireFaultless(watch);
}

/**
 * One pool whose provider meets one failure, if it makes as many calls; afterwards it has as many pages as without it.
 */
async function failOnce(
  setting: Setting,
  failAt: number,
  expected: number,
): Promise<{ isMet: boolean; pages: number }> {
  const watch = witness(setting.make());
  watch.failAt = failAt;
  let pool: PagePool;
  try {
    pool = await open(setting, watch, {});
  } catch (error) {
    requirePassedOn(error);
    demand(watch.open === 0, 'a pool that was refused is not over for the provider');
    return { isMet: true, pages: 0 };
  }
  const handles: number[] = [];
  let pages = 0;
  const guarded = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      requirePassedOn(error);
    }
  };
  for (let round = 0; round < 3; round++) {
    const wasMet = watch.calls >= failAt;
    guarded(() => handles.push(...takeAll(pool, handles)));
    requireBalance(pool);
    pages = handles.length;
    if (wasMet) demand(pages >= expected, `${pages} pages after a failure, ${expected} without one`);
    for (const handle of handles.splice(0)) pool.release(handle);
    guarded(() => void pool.trim());
    requireBalance(pool);
  }
  const isMet = watch.calls >= failAt;
  demand(pool.inflight === 0, `${pool.inflight} pages are in flight after a failure`);
  try {
    await pool.close();
  } catch (error) {
    requirePassedOn(error);
  }
  await until(() => watch.open === 0, 'the provider was not ended after a failure');
  requireFaultless(watch);
  return { isMet, pages };
}

function requirePassedOn(error: unknown): void {
  if (!(error instanceof PagePoolError) || error.code !== 'POOL_ERR_PROVIDER') throw error;
  let cause: unknown = error;
  while (cause instanceof Error && !(cause instanceof InjectedFailure)) cause = cause.cause;
  demand(cause instanceof InjectedFailure, `the failure is not the cause of: ${error.message}`);
}

async function withPool(setting: Setting, options: PoolOptions, run: (pool: PagePool) => Promise<void>): Promise<void> {
  const watch = witness(setting.make());
  const pool = await open(setting, watch, options);
  await run(pool);
  requireBalance(pool);
  await close(pool, watch);
}

async function open({ engine, make, options }: Setting, watch: Witness, more: PoolOptions): Promise<PagePool> {
  const { pageBytes, pageCount } = options;
  // The pool knows its own memory by the provider itself.
  const provider = isOwnMemory(make()) ? make() : watch.provider;
  return PagePool.create({ pageBytes, pageCount, maxPorts: 4, engine, ...more, provider });
}

async function close(pool: PagePool, watch: Witness): Promise<void> {
  const report = await pool.close({ timeoutMs: 10_000 });
  demand(report.isDestroyed, `the pool does not end: ${report.holders.map(({ text }) => text).join('; ')}`);
  await until(() => watch.open === 0, 'the provider was not ended with its last pool');
  requireFaultless(watch);
}

function requireFaultless({ faults }: Witness): void {
  demand(faults.length === 0, faults.slice(0, 5).join('; '));
}

function requireBalance(pool: PagePool): void {
  const { balanced, errors } = pool.audit();
  demand(balanced, errors.slice(0, 5).join('; '));
}

/** Every page that is to be had, into `handles`. */
function takeAll(pool: PagePool, handles: number[] = []): number[] {
  const taken: number[] = [];
  try {
    for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) taken.push(handle);
  } catch (error) {
    handles.push(...taken);
    throw error;
  }
  return taken;
}

function checkBytes(pool: PagePool, handles: readonly number[]): void {
  for (const [i, handle] of handles.entries()) pool.bytes(handle).fill((i % 255) + 1);
  for (const [i, handle] of handles.entries()) {
    const value = (i % 255) + 1;
    const bytes = pool.bytes(handle);
    demand(bytes.length === pool.pageBytes, `a page has ${bytes.length} bytes`);
    demand(
      bytes.every((byte) => byte === value),
      `page ${i} was overwritten by another one`,
    );
    const area = pool.area(handle);
    const start = pool.offset(handle);
    demand(area[start] === value && area[start + pool.pageBytes - 1] === value, `page ${i} is not where offset() is`);
  }
}

function canRead(pool: PagePool, handle: number): boolean {
  return pool.isReadable(handle);
}

function mustHave(handle: number): number {
  demand(handle !== 0, 'a pool has no page at all');
  return handle;
}

function codeOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
}

async function until(isSo: () => boolean, text: string | (() => string)): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(typeof text === 'string' ? text : text());
}

function demand(isSo: boolean, text: string): asserts isSo {
  if (!isSo) throw new Error(text);
}
