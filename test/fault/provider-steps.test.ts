// Every step at which a provider, its context or the platform under it can fail: each fails once, before it has done
// anything or when it has done all, in the pool's own provider or in its reserve.
//
// One story for all of them: create, take everything, write and check it, give back all but two pages, trim, take
// everything that is left again, give it back, trim, once more, close. What a call throws is POOL_ERR_PROVIDER, with
// the failure as the first one's cause; after every step of the story the audit is exact and balanced, and at the end
// everything is home and the provider knows of no pool. One table, so that nothing is left out by mistake.

import { type Area, type MemoryProvider, PagePool, PagePoolError, type ProviderContext } from 'pagepool';
import { slabs } from 'pagepool/providers';
import { UserQueue, userArea } from 'pagepool/user-area';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { region } from '../../examples/providers/region.js';
import { InjectedFailure, witness } from '../../src/testing/witness.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { HUNG_MS } from '../support/waiting.js';

const PAGES = 48;
const PAGE_BYTES = 4096;
const RESERVE_PAGES = 8;
const HARDEST = 3;

const PROVIDERS: readonly (readonly [name: string, make: () => MemoryProvider])[] = [
  ['slab', () => slabs({ slabBytes: 65536, keepBytes: 0, idleMs: HUNG_MS })],
  ['region', () => region()],
  ['user-area', () => userArea(new SharedArrayBuffer(PAGES * PAGE_BYTES))],
];
const CALLBACKS = ['init', 'grow', 'retire', 'uninstall', 'destroy'] as const;
const CALLS = ['addArea', 'feed', 'retireArea', 'keepArea'] as const;
type Step = (typeof CALLBACKS)[number] | (typeof CALLS)[number];
type When = 'before' | 'after';

/** The provider, one of whose steps fails once. */
function failing(provider: MemoryProvider, step: Step, at: number, when: When) {
  let calls = 0;
  let hasFailed = false;
  const during = <T>(name: Step, run: () => T): T => {
    const fails = name === step && ++calls === at;
    if (fails) hasFailed = true;
    if (fails && when === 'before') throw new InjectedFailure(`${name} fails`);
    const result = run();
    if (fails) throw new InjectedFailure(`${name} fails`);
    return result;
  };
  const contexts = new Map<ProviderContext, ProviderContext>();
  const contextOf = (context: ProviderContext): ProviderContext => {
    const known = contexts.get(context) ?? {
      pool: context.pool,
      addArea: (memory, pages): Area => during('addArea', () => context.addArea(memory, pages)),
      feed: (pages) => during('feed', () => context.feed(pages)),
      retireArea: (area) => during('retireArea', () => context.retireArea(area)),
      keepArea: (area) => during('keepArea', () => context.keepArea(area)),
    };
    contexts.set(context, known);
    return known;
  };
  const { kind, readable, detachable } = provider;
  const failed: MemoryProvider = {
    kind,
    readable,
    detachable,
    init: (context) => during('init', () => provider.init(contextOf(context))),
    grow: (context, count) => during('grow', () => provider.grow(contextOf(context), count)),
    retire: (context, pages) => during('retire', () => provider.retire(contextOf(context), pages)),
    describe: () => provider.describe(),
    uninstall: (context) => during('uninstall', () => provider.uninstall?.(contextOf(context))),
    destroy: (context) => during('destroy', () => provider.destroy(contextOf(context))),
  };
  return { provider: failed, hasFailed: () => hasFailed };
}

/** What a story met: the failure first; what follows from it is a provider's error as well. */
class Met {
  count = 0;

  /** Whether a call met something; anything else that it throws is passed on. */
  in(run: () => void): boolean {
    try {
      run();
      return false;
    } catch (error) {
      this.requireClear(error);
      return true;
    }
  }

  requireClear(error: unknown): void {
    if (!(error instanceof PagePoolError)) throw error;
    expect(error.code).toBe('POOL_ERR_PROVIDER');
    let cause: unknown = error;
    while (cause instanceof Error && !(cause instanceof InjectedFailure)) cause = cause.cause;
    if (this.count++ === 0) expect(cause).toBeInstanceOf(InjectedFailure);
  }
}

function requireBalance(pool: PagePool): void {
  const { exact, balanced, errors, pages } = pool.audit();
  expect({ exact, balanced, errors }).toEqual({ exact: true, balanced: true, errors: [] });
  expect(pages.used + pages.cached + pages.ring + pages.provider + pages.pinned).toBe(pages.total);
}

function takeAll(pool: PagePool, met: Met): number[] {
  const handles: number[] = [];
  // Whatever fails on the way: it fails once, and then there are pages again.
  for (let failures = 0; failures <= HARDEST; ) {
    let handle = 0;
    if (met.in(() => (handle = pool.alloc()))) failures += 1;
    else if (handle === 0) break;
    else handles.push(handle);
    requireBalance(pool);
  }
  return handles;
}

/** The story. */
async function play(make: (provider: MemoryProvider) => Promise<PagePool>, provider: MemoryProvider): Promise<void> {
  const met = new Met();
  let pool: PagePool;
  try {
    pool = await make(provider);
  } catch (error) {
    return met.requireClear(error);
  }
  for (let round = 0; round < 2; round++) {
    const handles = takeAll(pool, met);
    expect(new Set(handles).size).toBe(handles.length);
    for (const [i, handle] of handles.entries()) pool.bytes(handle).fill(i + 1);
    for (const [i, handle] of handles.entries()) expect(pool.bytes(handle).every((byte) => byte === i + 1)).toBe(true);
    // The first page and the last keep their areas, one of which may be called in and wanted again.
    for (const handle of handles.splice(1, handles.length - 2)) pool.release(handle);
    met.in(() => void pool.trim());
    requireBalance(pool);
    handles.push(...takeAll(pool, met));
    expect(new Set(handles).size).toBe(handles.length);
    for (const handle of handles) pool.release(handle);
    met.in(() => void pool.trim());
    requireBalance(pool);
    met.in(() => pool.poll());
    expect(pool.inflight).toBe(0);
    requireBalance(pool);
  }
  try {
    expect(await pool.close({ timeoutMs: HUNG_MS, ref: true })).toMatchObject({ isDestroyed: true, inflight: 0 });
  } catch (error) {
    met.requireClear(error);
  }
  expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_DESTROYED');
}

afterEach(() => {
  vi.restoreAllMocks();
});

const PLACES = ['provider', 'reserve of wasm-memory', 'reserve beside another'] as const;
const TABLE = [...CALLBACKS, ...CALLS].flatMap((step) =>
  (['before', 'after'] as const).map((when): [step: Step, when: When] => [step, when]),
);

describe.each(PROVIDERS)('%s', (name, makeProvider) => {
  describe.each(PLACES)('as %s', (place) => {
    test.each(TABLE)('%s fails %s', async (step, when) => {
      vi.spyOn(console, 'warn').mockImplementation(() => {});
      let failures = 0;
      for (const engine of ['wasm', 'typescript'] as const) {
        for (let at = 1; at <= HARDEST; at++) {
          const faulty = failing(makeProvider(), step, at, when);
          const beside = witness(region());
          const make = (provider: MemoryProvider) =>
            PagePool.create({
              engine,
              pageBytes: PAGE_BYTES,
              pageCount: place === 'provider' ? PAGES : 8,
              maxPorts: 2,
              ...(place === 'provider'
                ? { provider }
                : {
                    reserve: { provider, pageCount: RESERVE_PAGES },
                    ...(place === 'reserve beside another' ? { provider: beside.provider } : {}),
                  }),
            });
          await play(make, faulty.provider);
          expect(beside).toMatchObject({ faults: [], open: 0, out: 0 });
          if (!faulty.hasFailed()) break;
          failures += 1;
          // What failed leaves nothing behind that would keep the next one from its pages, unless it had done its part
          // itself.
          if (when === 'before') expect(faulty.provider.describe()).not.toMatchObject({ pools: 2 });
        }
      }
      // uninstall is for an owner that leaves; only slabs retire areas, and in the few pages of a reserve they keep
      // none after all.
      const isOfSlabs = name === 'slab' && (step === 'retireArea' || place === 'provider');
      const isMet = step === 'retireArea' || step === 'keepArea' ? isOfSlabs : step !== 'uninstall';
      expect(failures > 0).toBe(isMet);
    });
  });

  test.each(['before', 'after'] as const)('uninstall fails %s: the owner leaves all the same', async (when) => {
    for (const engine of ['wasm', 'typescript'] as const) {
      const faulty = failing(makeProvider(), 'uninstall', 1, when);
      const options = { engine, pageBytes: PAGE_BYTES, pageCount: PAGES, maxPorts: 2, provider: faulty.provider };
      const pool = await PagePool.create(options);
      const other = (await loadAnotherRealm()).PagePool.attach(pool.share());
      pool.release(pool.alloc());
      pool.detach();
      expect(faulty.hasFailed()).toBe(true);
      const page = other.alloc();
      expect(page).not.toBe(0);
      other.release(page);
      requireBalance(other as unknown as PagePool);
      other.detach();
    }
  });
});

/** Lets a method of the platform fail at its nth call. */
function failAt(at: number) {
  let calls = 0;
  return (): void => {
    if (++calls === at) throw new InjectedFailure(`call ${at} of the platform fails`);
  };
}

describe('the platform under a provider fails', () => {
  const options = { pageBytes: PAGE_BYTES, pageCount: PAGES, maxPorts: 3 };
  const threads = process.getBuiltinModule('node:worker_threads');
  const Channel = threads.BroadcastChannel;
  afterEach(() => {
    threads.BroadcastChannel = Channel;
  });

  test.each(['wasm', 'typescript'] as const)('when it tells threads of areas, engine %s', async (engine) => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    for (let at = 1; at <= 12; at++) {
      const fail = failAt(at);
      const post = Channel.prototype.postMessage;
      vi.spyOn(Channel.prototype, 'postMessage').mockImplementation(function (this: BroadcastChannel, message) {
        fail();
        post.call(this as never, message);
      } as typeof post);
      const provider = slabs({ slabBytes: 65536, keepBytes: 65536, idleMs: HUNG_MS });
      await play((given) => PagePool.create({ ...options, engine, provider: given }), provider);
      vi.restoreAllMocks();
      vi.spyOn(console, 'warn').mockImplementation(() => {});
      expect(provider.describe()).toMatchObject({ pools: 0 });
    }
  });

  test('when a thread begins to listen: it attaches the next time, and nothing of the first is left', async () => {
    const provider = witness(slabs({ slabBytes: 65536 })).provider;
    const fail = failAt(1);
    const failingChannel = class extends Channel {
      constructor(name: string) {
        fail();
        super(name);
      }
    };
    threads.BroadcastChannel = failingChannel as typeof Channel;
    await expect(PagePool.create({ ...options, provider })).rejects.toMatchObject({ code: 'POOL_ERR_PROVIDER' });
    const pool = await PagePool.create({ ...options, provider });
    const handle = pool.alloc();
    const again = failAt(1);
    threads.BroadcastChannel = class extends Channel {
      constructor(name: string) {
        again();
        super(name);
      }
    } as typeof Channel;
    const { PagePool: Other } = await loadAnotherRealm();
    expect(codeOf(() => Other.attach(pool.share()))).toBe('POOL_ERR_PROVIDER');
    requireBalance(pool);
    const other = Other.attach(pool.share());
    expect(other.bytes(handle).length).toBe(PAGE_BYTES);
    other.detach();
    pool.release(handle);
    requireBalance(pool);
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });

  test('when it has no memory for the rings of a queue: the pool and the area are as they were', async () => {
    const provider = userArea(new SharedArrayBuffer(PAGES * PAGE_BYTES));
    const pool = await PagePool.create({ ...options, provider });
    const before = provider.describe();
    vi.stubGlobal('SharedArrayBuffer', function none() {
      throw new RangeError('Array buffer allocation failed');
    });
    try {
      expect(codeOf(() => new UserQueue(pool))).toBe('POOL_ERR_MEMORY_LIMIT');
    } finally {
      vi.unstubAllGlobals();
    }
    expect(provider.describe()).toEqual(before);
    requireBalance(pool);
    const queue = new UserQueue(pool);
    expect(queue.outstanding).toBe(0);
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });
});
