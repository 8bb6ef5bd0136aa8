// Providers: what the pool does with one, in one thread: wants, retirement, areas, failures, re-entry, reserve, several pools.

import { PagePool, type PagePoolError, type PoolOptions } from 'pagepool';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AREAS_ANSWERED, AREAS_WANTED, PORT_AREAS_OFFSET } from '../../assembly/layout.js';
import { region } from '../../examples/providers/region.js';
import { freePort } from '../../src/control/claims.js';
import { portOffset } from '../../src/control/places.js';
import type { Area, MemoryProvider, ProviderContext } from '../../src/provider/provider.js';
import { create, type EngineKind, KINDS } from '../support/ports.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { portBeside } from '../support/shared-ports.js';

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const OPTIONS: PoolOptions = { pageBytes: 1024, pageCount: 32, maxPorts: 4 };

/** A provider that does what the test says, over regions of its own, and remembers every call. */
function scripted(script: Partial<MemoryProvider> & { pagesAtOnce?: number } = {}) {
  const calls: string[] = [];
  const areas: Area[] = [];
  const free: number[] = [];
  /** Pages of areas that retire: they are not fed again. */
  const gone = new Set<number>();
  const retireArea = (area: Area): void => {
    for (let i = 0; i < area.pages; i++) gone.add(area.firstPage + i);
    context?.retireArea(area);
  };
  const keepArea = (area: Area): void => {
    for (let i = 0; i < area.pages; i++) gone.delete(area.firstPage + i);
    context?.keepArea(area);
  };
  let context: ProviderContext | undefined;
  const addRegion = (ctx: ProviderContext, pages: number): Area => {
    const byteLength = ctx.pool.pageBytes * pages;
    const area = ctx.addArea({ buffer: new SharedArrayBuffer(byteLength), byteLength }, pages);
    areas.push(area);
    return area;
  };
  const provider: MemoryProvider = {
    kind: 'scripted',
    readable: true,
    detachable: true,
    init: (ctx) => {
      calls.push('init');
      context = ctx;
      return script.init?.(ctx);
    },
    grow: (ctx, count) => {
      calls.push(`grow ${count}`);
      if (script.grow !== undefined) return script.grow(ctx, count);
      const pages = free.filter((page) => !gone.has(page)).slice(0, count);
      for (const page of pages) free.splice(free.indexOf(page), 1);
      const most = script.pagesAtOnce ?? 8;
      const taken = areas.reduce((sum, area) => sum + area.pages, 0);
      if (pages.length === 0 && taken + most <= ctx.pool.pageCount) {
        const { firstPage } = addRegion(ctx, most);
        pages.push(...Array.from({ length: most }, (_, i) => firstPage + i));
      }
      ctx.feed(Uint32Array.from(pages));
    },
    retire: (ctx, pages) => {
      calls.push(`retire ${pages.length}`);
      free.push(...pages);
      script.retire?.(ctx, pages);
    },
    describe: () => ({ free: free.length }),
    uninstall: () => void calls.push('uninstall'),
    destroy: (ctx) => {
      calls.push('destroy');
      return script.destroy?.(ctx);
    },
  };
  return { provider, calls, areas, free, addRegion, retireArea, keepArea, context: () => context as ProviderContext };
}

function takeAll(pool: PagePool, most = Number.POSITIVE_INFINITY): number[] {
  const handles: number[] = [];
  while (handles.length < most) {
    const handle = pool.alloc();
    if (handle === 0) break;
    handles.push(handle);
  }
  return handles;
}

function requireHome(pool: PagePool): void {
  const audit = pool.audit();
  expect(audit.errors).toEqual([]);
  expect(audit).toMatchObject({ exact: true, balanced: true, pages: { used: 0 } });
}

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  const pools: PagePool[] = [];
  const make = (options: PoolOptions): PagePool => {
    const pool = create(kind, { ...OPTIONS, ...options });
    pools.push(pool);
    return pool;
  };
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close({ timeoutMs: 2000 }).catch(() => {});
    vi.restoreAllMocks();
  });

  it('hands out every page of a provider, each with bytes of its own, and 0 after that', () => {
    const pool = make({ provider: region() });
    const handles: number[] = [];
    for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) handles.push(handle);
    expect(handles.length).toBe(32);
    for (const [i, handle] of handles.entries()) pool.bytes(handle).fill(i + 1);
    handles.forEach((handle, i) => {
      expect(pool.bytes(handle)).toEqual(new Uint8Array(1024).fill(i + 1));
      const area = pool.area(handle);
      expect(area[pool.offset(handle)]).toBe(i + 1);
      expect(area.length).toBe(32 * 1024);
      expect(pool.isReadable(handle)).toBe(true);
    });
    for (const handle of handles) pool.release(handle);
    requireHome(pool);
    expect(pool.stats().provider).toMatchObject({
      kind: 'region',
      state: 'serving',
      owner: { areas: 1, failure: null },
    });
  });

  it('cuts fragments, and their views lie in the page', () => {
    const pool = make({ provider: region() });
    const handles = [100, 200, 300].map((bytes) => pool.allocFragment(bytes));
    for (const [i, handle] of handles.entries()) pool.bytes(handle).fill(i + 1);
    const area = pool.area(handles[0] as number);
    handles.forEach((handle, i) => {
      const offset = pool.offset(handle);
      expect(area[offset]).toBe(i + 1);
      expect(area[offset + pool.extent(handle) - 1]).toBe(i + 1);
    });
    for (const handle of handles) pool.release(handle);
    pool.trim();
    requireHome(pool);
    expect(pool.inflight).toBe(0);
  });

  it('asks for what is wanted: bursts and bulks are served whole', () => {
    const { provider } = scripted();
    const pool = make({ provider });
    const out = new Uint32Array(40);
    expect(pool.allocBulk(out, 20)).toBe(false); // two callbacks would be needed: all or nothing in one
    expect(pool.allocBulk(out, 7)).toBe(true);
    pool.releaseBulk(out, 7);
    requireHome(pool);
  });

  it('gives pages back on trim, each once, and takes them from there again', () => {
    const { provider, calls, free } = scripted();
    const pool = make({ provider });
    const handles = Array.from({ length: 8 }, () => pool.alloc());
    expect(calls).toEqual(['init', 'grow 2']);
    for (const handle of handles) pool.release(handle);
    expect(pool.trim()).toBe(8);
    expect(free.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(pool.inflight).toBe(0);
    const again = pool.alloc();
    expect(again).not.toBe(0);
    pool.release(again);
    requireHome(pool);
  });

  it('ends the provider after the last page, having given back every page', async () => {
    const { provider, calls, free } = scripted();
    const pool = make({ provider });
    const handle = pool.alloc();
    pool.destroy();
    await later(60);
    expect(calls).not.toContain('destroy');
    pool.release(handle);
    expect(await pool.close()).toMatchObject({ isDestroyed: true });
    expect(calls.filter((call) => call === 'destroy')).toEqual(['destroy']);
    expect(new Set(free).size).toBe(8);
    expect(free.length).toBe(8);
  });

  it('ends the provider only when nothing is pinned', async () => {
    const { provider, calls } = scripted();
    const pool = make({ provider });
    const handle = pool.alloc();
    const pin = pool.pin(handle);
    pool.release(handle);
    expect(await pool.close()).toMatchObject({ isDestroyed: true, pinned: 1 });
    await later(150);
    expect(calls).not.toContain('destroy');
    pool.unpin(pin);
    await vi.waitFor(() => expect(calls).toContain('destroy'));
    expect(calls.filter((call) => call.startsWith('retire'))).toEqual(['retire 7', 'retire 1']);
  });

  it('refuses pins where the provider must have its pages back', () => {
    const { provider } = scripted();
    const pool = make({ provider: { ...provider, detachable: false } });
    const handle = pool.alloc();
    expect(codeOf(() => pool.pin(handle))).toBe('POOL_ERR_NOT_DETACHABLE');
    pool.release(handle);
  });

  it('has no bytes where the processor sees none', () => {
    const { provider, areas } = scripted({
      grow: (context, count) => {
        areas.push(context.addArea({ byteLength: 4096 }, 4));
        context.feed(Uint32Array.of(1, 2, 3, 4).slice(0, Math.max(count, 4)));
      },
    });
    const pool = make({ provider: { ...provider, readable: false } });
    const handle = pool.alloc();
    expect(pool.isReadable(handle)).toBe(false);
    for (const look of [() => pool.bytes(handle), () => pool.area(handle), () => pool.bytes(handle, 1, 2)]) {
      expect(codeOf(look)).toBe('POOL_ERR_UNREADABLE');
    }
    expect(pool.extent(handle)).toBe(1024);
    expect(
      codeOf(() =>
        create(kind === 'checked' ? 'typescript' : kind, {
          ...OPTIONS,
          provider: { ...provider, readable: false },
          zero: 'on-release',
        }),
      ),
    ).toBe('POOL_ERR_INVALID_ARGUMENT');
    pool.release(handle);
  });

  it('clears pages on release where the engine can reach them', () => {
    if (kind !== 'typescript') return;
    const pool = make({ provider: region(), zero: 'on-release' });
    const handle = pool.alloc();
    const view = pool.bytes(handle).fill(7);
    pool.release(handle);
    expect(view.every((byte) => byte === 0)).toBe(true);
  });

  it('feeds now or later: pages that come after the callback are handed out', async () => {
    const { provider, context, addRegion } = scripted({ grow: () => {} });
    const pool = make({ provider });
    expect(pool.alloc()).toBe(0);
    const waiting = pool.takeAsync(undefined, { timeoutMs: 2000 });
    await later(60);
    const { firstPage } = addRegion(context(), 2);
    context().feed(Uint32Array.of(firstPage, firstPage + 1));
    (await waiting).release();
    requireHome(pool);
  });

  it('waits with the pages of a new area until every thread knows it', () => {
    const { provider } = scripted();
    const pool = make({ provider });
    const other = portBeside(pool, kind); // as a thread that hears of areas by its event loop alone, and has not yet
    expect(pool.alloc()).toBe(0);
    expect(pool.stats()).toMatchObject({ hold: 0, provider: { owner: { areas: 1, waitingFor: [other.id] } } });
    const known = (portOffset(other.geometry, other.id) + PORT_AREAS_OFFSET) >>> 2;
    Atomics.store(other.memory.i32, known, 1);
    const handle = pool.alloc();
    expect(handle).not.toBe(0);
    expect(pool.stats().provider.owner?.waitingFor).toEqual([]);
    pool.release(handle);
    other.engine.park();
    freePort(other);
    requireHome(pool);
  });

  describe('an area that retires', () => {
    it('is gone at once where all its pages are home, and its views are let go', () => {
      const { provider, context, areas } = scripted();
      const pool = make({ provider });
      const handle = pool.alloc();
      const view = pool.bytes(handle).fill(9);
      pool.release(handle);
      pool.trim();
      context().retireArea(areas[0] as Area);
      expect(pool.stats().provider.owner?.areas).toBe(0);
      expect(codeOf(() => context().feed(Uint32Array.of(1)))).toBe('POOL_ERR_PROVIDER');
      // The numbers are used again, by another area; the old view shows the old bytes.
      context().addArea({ buffer: new SharedArrayBuffer(8192), byteLength: 8192 }, 8);
      context().feed(Uint32Array.from({ length: 8 }, (_, i) => i + 1));
      const again = pool.alloc();
      expect(pool.bytes(again).buffer).not.toBe(view.buffer);
      pool.bytes(again).fill(1);
      expect(view[0]).toBe(9);
      pool.release(again);
      requireHome(pool);
    });

    it('takes pages out of circulation as they come home, and refills waive those in the ring', async () => {
      const { provider, areas, free, calls, retireArea } = scripted({ pagesAtOnce: 16 });
      const pool = make({ provider });
      const handles = Array.from({ length: 16 }, () => pool.alloc());
      const held = handles.splice(0, 4);
      for (const handle of handles) pool.release(handle); // into cache and ring
      retireArea(areas[0] as Area);
      await later(1);
      expect(pool.stats().provider.owner?.areas).toBe(1);
      // A second area serves from here on.
      const used: number[] = [];
      for (let i = 0; i < 8; i++) used.push(pool.alloc());
      expect(used.every((handle) => handle !== 0)).toBe(true);
      for (const handle of [...used, ...held]) pool.release(handle);
      for (let i = 0; i < 40; i++) {
        const handle = pool.alloc();
        if (handle !== 0) pool.release(handle);
        pool.poll();
      }
      pool.trim();
      expect(pool.stats().alloc.waive).toBeGreaterThan(0);
      // The area is gone, its numbers are those of the next one; each page came back as often as it was fed.
      expect(calls).toEqual(['init', 'grow 2', 'retire 16', 'grow 2', 'retire 16']);
      expect(new Set(free.slice(0, 16)).size).toBe(16);
      expect(pool.stats().provider.owner?.areas).toBe(1);
      expect(pool.stats().pages.pinned).toBe(0);
      requireHome(pool);
    });
  });

  it('counts the pins of users alone when it closes, and not those by which an area is emptied', async () => {
    const { provider, areas, retireArea } = scripted({ pagesAtOnce: 32 });
    const pool = make({ provider });
    const held = takeAll(pool);
    const [last = 0, pinned = 0] = held.splice(0, 2);
    for (const handle of held) pool.release(handle);
    retireArea(areas[0] as Area);
    const pin = pool.pin(pinned);
    pool.release(pinned);
    expect(await pool.close({ timeoutMs: 1 })).toMatchObject({ isDestroyed: false, inflight: 1, pinned: 1 });
    pool.release(last);
    expect(await pool.close({ timeoutMs: 2000 })).toMatchObject({ isDestroyed: true, inflight: 0, pinned: 1 });
    pool.unpin(pin);
  });

  it('asks again for what a thread misses where the platform did not let the owner answer', () => {
    const { provider } = scripted();
    const pool = make({ provider });
    const other = portBeside(pool, kind);
    const known = (portOffset(other.geometry, other.id) + PORT_AREAS_OFFSET) >>> 2;
    const said = (): number => Atomics.load(other.memory.i32, known) >>> 0;
    Atomics.store(other.memory.i32, known, AREAS_WANTED | 0);
    const post = vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockImplementation(() => {
      throw new Error('no memory');
    });
    expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_PROVIDER');
    expect(said()).toBe(AREAS_WANTED);
    post.mockRestore();
    pool.poll();
    expect(said()).toBe(AREAS_ANSWERED);
    other.engine.park();
    freePort(other);
    requireHome(pool);
  });

  describe('an area that is kept after all', () => {
    it('has its pages circulate on, those in use and those in caches and ring', async () => {
      const { provider, areas, calls, retireArea, keepArea } = scripted({ pagesAtOnce: 32 });
      const pool = make({ provider });
      const held = takeAll(pool);
      for (const handle of held.splice(8)) pool.release(handle);
      retireArea(areas[0] as Area);
      keepArea(areas[0] as Area);
      await later(1);
      expect(pool.stats().pages.pinned).toBe(0);
      for (const handle of held) pool.release(handle);
      const grown = calls.length;
      const again = takeAll(pool);
      expect(again.length).toBe(32);
      expect(calls.slice(grown)).not.toContain('retire');
      expect(pool.stats().alloc.waive).toBe(0);
      for (const handle of again) pool.release(handle);
      requireHome(pool);
      expect(await pool.close({ timeoutMs: 2000 })).toMatchObject({ isDestroyed: true, pinned: 0 });
    });

    it('gets those back that had left for its sake, and may feed them again', () => {
      const { provider, areas, free, retireArea, keepArea } = scripted({ pagesAtOnce: 32 });
      const pool = make({ provider });
      const held = takeAll(pool);
      retireArea(areas[0] as Area);
      for (const handle of held.splice(0, 8)) pool.release(handle);
      expect(pool.stats().pages.pinned).toBe(8);
      keepArea(areas[0] as Area);
      expect(pool.stats().pages.pinned).toBe(0);
      pool.poll();
      expect(free.length).toBe(8);
      held.push(...takeAll(pool));
      expect(held.length).toBe(32);
      for (const handle of held) pool.release(handle);
      requireHome(pool);
    });

    it('does not keep another one that is to go', () => {
      const { provider, areas, retireArea, keepArea } = scripted({ pagesAtOnce: 16 });
      const pool = make({ provider });
      const held = takeAll(pool);
      for (const area of areas) retireArea(area);
      keepArea(areas[0] as Area);
      for (const handle of held) pool.release(handle);
      expect(pool.stats().pages).toMatchObject({ pinned: 16 });
      pool.poll();
      expect(pool.stats().pages).toMatchObject({ pinned: 0 });
      expect(pool.stats().provider.owner?.areas).toBe(1);
      requireHome(pool);
    });

    it('keeps the pins that users have', () => {
      const { provider, areas, retireArea, keepArea } = scripted({ pagesAtOnce: 32 });
      const pool = make({ provider });
      const [before = 0, after = 0] = takeAll(pool, 2);
      const first = pool.pin(before);
      retireArea(areas[0] as Area);
      const second = pool.pin(after); // beside the owner's
      keepArea(areas[0] as Area);
      pool.release(before);
      pool.release(after);
      expect(pool.stats().pages.pinned).toBe(2);
      pool.unpin(first);
      pool.unpin(second);
      expect(pool.stats().pages.pinned).toBe(0);
      expect(takeAll(pool).length).toBe(32);
    });

    it('in the step in which it was to go: nothing has happened', () => {
      const { provider, addRegion, areas, context } = scripted({
        init: (ctx) => {
          const area = addRegion(ctx, 8);
          ctx.retireArea(area);
          ctx.keepArea(area);
        },
      });
      const pool = make({ provider });
      expect(pool.stats().provider.owner?.areas).toBe(1);
      context().feed(Uint32Array.of((areas[0] as Area).firstPage));
      const handle = pool.alloc();
      expect(handle).not.toBe(0);
      pool.release(handle);
      requireHome(pool);
    });

    it('and is to go in the same step: it goes', () => {
      const { provider, addRegion, areas, context } = scripted({
        pagesAtOnce: 16,
        grow: (ctx) => {
          if (areas.length === 1) {
            ctx.keepArea(areas[0] as Area);
            ctx.retireArea(areas[0] as Area);
            return;
          }
          const { firstPage } = addRegion(ctx, 16);
          ctx.feed(Uint32Array.from({ length: 16 }, (_, i) => firstPage + i));
        },
      });
      const pool = make({ provider });
      const held = takeAll(pool, 16);
      context().retireArea(areas[0] as Area);
      expect(pool.alloc()).toBe(0);
      for (const handle of held) pool.release(handle);
      expect(pool.stats().pages).toMatchObject({ cached: 0, ring: 0 });
      pool.poll();
      expect(pool.stats().provider.owner?.areas).toBe(0);
      requireHome(pool);
    });

    it('is as it was where the callback throws, and refused when it is gone', () => {
      let fails = true;
      const { provider, areas, retireArea, context } = scripted({
        pagesAtOnce: 32,
        grow: (ctx) => {
          ctx.keepArea(areas[0] as Area);
          if (fails) throw new Error('not today');
        },
        init: (ctx) => {
          const byteLength = 32 * 1024;
          const area = ctx.addArea({ buffer: new SharedArrayBuffer(byteLength), byteLength }, 32);
          areas.push(area);
          ctx.feed(Uint32Array.of(area.firstPage));
        },
      });
      const pool = make({ provider });
      const [handle = 0] = takeAll(pool, 1);
      retireArea(areas[0] as Area);
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_PROVIDER');
      expect(() => context().feed(Uint32Array.of(2))).toThrow(/not retiring/);
      fails = false;
      expect(pool.alloc()).toBe(0);
      context().feed(Uint32Array.of(2));
      pool.release(handle);
      pool.trim();
      context().retireArea(areas[0] as Area);
      expect(codeOf(() => context().keepArea(areas[0] as Area))).toBe('POOL_ERR_PROVIDER');
      requireHome(pool);
    });
  });

  describe('a failing provider', () => {
    const broken = (): never => {
      throw new Error('out of memory');
    };

    it('refuses the pool in init, and nothing is left', async () => {
      const { provider, calls } = scripted({ init: broken });
      expect(codeOf(() => make({ provider }))).toBe('POOL_ERR_PROVIDER');
      await expect(PagePool.create({ ...OPTIONS, provider })).rejects.toMatchObject({
        code: 'POOL_ERR_PROVIDER',
        cause: { message: 'out of memory' },
      });
      await expect(
        PagePool.create({ ...OPTIONS, provider: { ...provider, init: () => Promise.reject(new Error('later')) } }),
      ).rejects.toMatchObject({ code: 'POOL_ERR_PROVIDER', cause: { message: 'later' } });
      expect(calls).not.toContain('destroy');
    });

    it('may take its time in init, where the creator may wait', async () => {
      const { provider } = scripted({ init: () => later(1) as Promise<void> });
      expect(codeOf(() => make({ provider }))).toBe('POOL_ERR_PROVIDER');
      const pool = await PagePool.create({ ...OPTIONS, provider });
      pools.push(pool);
      const handle = pool.alloc();
      expect(handle).not.toBe(0);
      pool.release(handle);
    });

    it('in grow loses what it took: areas and pages of that call are given back, and the next call is a new one', () => {
      let isBroken = true;
      const { provider, addRegion } = scripted({
        grow: (context) => {
          const { firstPage } = addRegion(context, 8);
          context.feed(Uint32Array.of(firstPage, firstPage + 1));
          if (isBroken) broken();
        },
      });
      const pool = make({ provider });
      let error: PagePoolError | undefined;
      try {
        pool.alloc();
      } catch (caught) {
        error = caught as PagePoolError;
      }
      expect(error).toMatchObject({ code: 'POOL_ERR_PROVIDER', cause: { message: 'out of memory' } });
      expect(error?.message).toContain('alloc failed: provider="scripted" threw in grow()');
      expect(pool.stats()).toMatchObject({ inflight: 0, pages: { provider: 32 }, provider: { owner: { areas: 0 } } });
      requireHome(pool);
      isBroken = false;
      const handle = pool.alloc();
      expect(pool.offset(handle)).toBeLessThan(2048);
      pool.release(handle);
      requireHome(pool);
    });

    it.each([
      ['throws', broken],
      ['returns nothing', () => undefined],
      ['calls the pool', (pool: PagePool) => ({ page: pool.alloc() })],
      ['asks for the statistics again', (pool: PagePool) => ({ ...pool.stats() })],
    ])('in describe, which %s, fails the statistics and nothing else', (_, describe) => {
      const { provider } = scripted();
      let hasFailed = false;
      const { describe: works } = provider;
      const pool: PagePool = make({
        provider: {
          ...provider,
          describe: () => (hasFailed ? works() : (describe(pool) as Record<string, unknown>)),
        },
      });
      expect(codeOf(() => pool.stats())).toBe('POOL_ERR_PROVIDER');
      expect(pool.inflight).toBe(0);
      hasFailed = true;
      expect(pool.stats().provider.owner).toMatchObject({ description: { free: 0 }, failure: null });
      requireHome(pool);
    });

    it('in init, which returns what only looks like a promise', async () => {
      const thenable = {
        // biome-ignore lint/suspicious/noThenProperty: that is what is tested
        get then(): never {
          return broken();
        },
      };
      const { provider } = scripted({ init: () => thenable as unknown as Promise<void> });
      expect(codeOf(() => make({ provider }))).toBe('POOL_ERR_PROVIDER');
      await expect(PagePool.create({ ...OPTIONS, provider })).rejects.toMatchObject({ code: 'POOL_ERR_PROVIDER' });
    });

    it.each([0, -1, 1.5, Number.NaN, 2 ** 31, '5'])('whose idleMs is %s is refused', (idleMs) => {
      const { provider } = scripted();
      expect(codeOf(() => make({ provider: { ...provider, idleMs: idleMs as number } }))).toBe(
        'POOL_ERR_INVALID_ARGUMENT',
      );
    });

    it('in grow is no reason not to ask the reserve; it is told once, and stands in the statistics', () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const main = scripted({ grow: broken });
      const reserve = scripted({ pagesAtOnce: 2 });
      const pool = make({
        provider: main.provider,
        pageCount: 8,
        reserve: { provider: reserve.provider, pageCount: 4 },
      });
      const handles = takeAll(pool, 4);
      expect(handles.length).toBe(4);
      expect(handles.every((handle) => pool.area(handle).length === 2048)).toBe(true);
      expect(warn).toHaveBeenCalledTimes(1);
      expect(pool.stats().provider.owner?.failure).toMatch(/grow/);
      // The reserve has nothing left: now the caller is told.
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_PROVIDER');
      for (const handle of handles) pool.release(handle);
      requireHome(pool);
    });

    it('in its plans: an area that comes and goes in one step is told to nobody', () => {
      const { provider, addRegion, context } = scripted({ init: (ctx) => ctx.retireArea(addRegion(ctx, 8)) });
      const pool = make({ provider });
      const told = (): number => pool.share().areas?.added.length ?? 0;
      expect([told(), pool.stats().provider.owner?.areas]).toEqual([0, 0]);
      const { firstPage } = addRegion(context(), 32);
      expect([told(), pool.stats().provider.owner?.areas, firstPage]).toEqual([1, 1, 1]);
    });

    it('in retire has its pages all the same', () => {
      const { provider, free } = scripted({ retire: broken });
      const pool = make({ provider });
      pool.release(pool.alloc());
      expect(codeOf(() => pool.trim())).toBe('POOL_ERR_PROVIDER');
      expect(free.length).toBeGreaterThan(0);
      expect(pool.inflight).toBe(0);
      requireHome(pool);
    });

    it('in destroy fails the close, after the pool has ended', async () => {
      const { provider } = scripted({ destroy: broken });
      const pool = make({ provider });
      vi.spyOn(console, 'warn').mockImplementation(() => {});
      await expect(pool.close()).rejects.toMatchObject({ code: 'POOL_ERR_PROVIDER' });
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_DESTROYED');
    });

    it.each([
      ['a page of no area', (c: ProviderContext) => c.feed(Uint32Array.of(9))],
      ['page 0', (c: ProviderContext) => c.feed(Uint32Array.of(0))],
      ['a page twice', (c: ProviderContext) => c.feed(Uint32Array.of(1, 1))],
      ['what is no Uint32Array', (c: ProviderContext) => c.feed([1] as unknown as Uint32Array)],
      [
        'an area too small',
        (c: ProviderContext) => c.addArea({ buffer: new SharedArrayBuffer(4096), byteLength: 4096 }, 5),
      ],
      [
        'an area outside its buffer',
        (c: ProviderContext) => c.addArea({ buffer: new SharedArrayBuffer(4096), byteOffset: 1, byteLength: 4096 }, 4),
      ],
      [
        'memory that is not shared',
        (c: ProviderContext) => c.addArea({ buffer: new ArrayBuffer(4096), byteLength: 4096 }, 4),
      ],
      ['an area without a buffer', (c: ProviderContext) => c.addArea({ byteLength: 4096 }, 4)],
      [
        'more pages than the pool has',
        (c: ProviderContext) => c.addArea({ buffer: new SharedArrayBuffer(65536), byteLength: 65536 }, 33),
      ],
      ['no pages', (c: ProviderContext) => c.addArea({ buffer: new SharedArrayBuffer(4096), byteLength: 4096 }, 0)],
      ['the area of nobody', (c: ProviderContext) => c.retireArea({ index: 7, firstPage: 1, pages: 4 })],
    ])('gives %s: refused, and nothing has changed', (_, use) => {
      const { provider } = scripted({
        grow: (context) => {
          const area = context.addArea({ buffer: new SharedArrayBuffer(8192), byteLength: 8192 }, 8);
          context.feed(Uint32Array.of(area.firstPage));
          use(context);
        },
      });
      const pool = make({ provider });
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_PROVIDER');
      expect(pool.stats().provider.owner?.areas).toBe(0);
      expect(pool.alloc.bind(pool)).toThrow();
      requireHome(pool);
    });

    it('feeds a page that is out: refused', () => {
      const { provider, context } = scripted();
      const pool = make({ provider });
      const handle = pool.alloc();
      expect(codeOf(() => context().feed(Uint32Array.of(1)))).toBe('POOL_ERR_PROVIDER');
      pool.release(handle);
    });

    it('feeds while another provider of the pool is being destroyed: refused, and nothing is lost', async () => {
      const reserve = scripted();
      let code: unknown;
      const main = scripted({
        destroy: async () => {
          await later(20);
          code = codeOf(() => reserve.context().feed(Uint32Array.of(firstPage)));
        },
      });
      const pool = make({
        provider: main.provider,
        pageCount: 8,
        reserve: { provider: reserve.provider, pageCount: 8 },
      });
      const { firstPage } = reserve.addRegion(reserve.context(), 8);
      expect(await pool.close({ timeoutMs: 2000 })).toMatchObject({ isDestroyed: true });
      expect(code).toBe('POOL_ERR_PROVIDER');
      expect(reserve.calls.at(-1)).toBe('destroy');
    });

    it('keeps a context after the pool ended: refused', async () => {
      const { provider, context } = scripted();
      const pool = make({ provider });
      await pool.close();
      expect(codeOf(() => context().feed(Uint32Array.of(1)))).toBe('POOL_ERR_PROVIDER');
    });
  });

  it.each([
    ['alloc', (pool: PagePool) => pool.alloc()],
    ['allocFragment', (pool: PagePool) => pool.allocFragment(1)],
    ['allocBurst', (pool: PagePool) => pool.allocBurst(new Uint32Array(1), 1)],
    ['release', (pool: PagePool) => pool.release(1)],
    ['retain', (pool: PagePool) => pool.retain(1)],
    ['bytes', (pool: PagePool) => pool.bytes(1)],
    ['trim', (pool: PagePool) => pool.trim()],
    ['poll', (pool: PagePool) => pool.poll()],
    ['audit', (pool: PagePool) => pool.audit()],
    ['stats', (pool: PagePool) => pool.stats()],
    ['reap', (pool: PagePool) => pool.reap(1)],
    ['detach', (pool: PagePool) => pool.detach()],
    ['destroy', (pool: PagePool) => pool.destroy()],
    ['take', (pool: PagePool) => pool.take()],
  ])('a callback that calls %s() gets an error, and the pool works on', (_, call) => {
    let code: unknown;
    let pool: PagePool | undefined;
    const { provider, addRegion } = scripted({
      grow: (context) => {
        code = codeOf(() => call(pool as PagePool));
        const { firstPage } = addRegion(context, 2);
        context.feed(Uint32Array.of(firstPage, firstPage + 1));
      },
    });
    pool = make({ provider });
    const handle = pool.alloc();
    expect(code).toBe('POOL_ERR_PROVIDER');
    expect(handle).not.toBe(0);
    pool.release(handle);
    requireHome(pool);
  });

  describe('an owner that detaches forgets the provider', () => {
    it.each([
      ['and all pages circulate on', []],
      ['and those of areas that were to go circulate on', [0]],
      ['and those of all areas circulate on, though all were to go', [0, 1]],
    ])('%s: none is added, none is lost', async (_, retiring) => {
      const { provider, calls, areas, retireArea } = scripted({ pagesAtOnce: 16 });
      const pool = make({ provider });
      const { PagePool: Other } = await loadAnotherRealm();
      const other = Other.attach(pool.share() as never) as unknown as PagePool;
      for (const handle of takeAll(pool)) pool.release(handle); // into the cache and the ring
      const held = takeAll(other, 12);
      expect(held.length).toBe(12);
      for (const index of retiring) retireArea(areas[index] as Area);
      pool.detach();
      expect(calls.at(-1)).toBe('uninstall');
      const called = calls.length;
      for (const handle of held) other.release(handle);
      expect(other.stats().pages).toMatchObject({ used: 0, provider: 0, pinned: 0 });
      const all = takeAll(other);
      expect(all.length).toBe(32);
      expect(calls.length).toBe(called);
      for (const handle of all) other.release(handle);
      requireHome(other);
      other.detach();
    });

    it('and a page that had left for its sake is nobody else’s to wait for', async () => {
      const { provider, areas, retireArea } = scripted({ pagesAtOnce: 16 });
      const pool = make({ provider });
      const { PagePool: Other } = await loadAnotherRealm();
      const other = Other.attach(pool.share() as never) as unknown as PagePool;
      for (const handle of takeAll(pool)) pool.release(handle);
      const held = takeAll(other, 12);
      for (const area of areas) retireArea(area);
      other.release(held.pop() as number);
      expect(other.stats().pages.pinned).toBe(1);
      pool.detach();
      expect(other.stats().pages.pinned).toBe(0);
      for (const handle of held) other.release(handle);
      const all = takeAll(other);
      expect(all.length).toBe(31);
      for (const handle of all) other.release(handle);
      requireHome(other);
      other.detach();
    });
  });

  describe('two pools', () => {
    it('on one provider have pages of their own', async () => {
      const provider = region();
      const one = make({ provider });
      const other = make({ provider, pageCount: 8, pageBytes: 4096 });
      const [a, b] = [one.alloc(), other.alloc()];
      one.bytes(a).fill(1);
      other.bytes(b).fill(2);
      expect(one.bytes(a)[0]).toBe(1);
      expect(provider.describe()).toMatchObject({ pools: 2 });
      one.release(a);
      await one.close();
      expect(provider.describe()).toMatchObject({ pools: 1 });
      expect(other.bytes(b)[0]).toBe(2);
      other.release(b);
      requireHome(other);
    });
  });

  describe('a reserve', () => {
    it.each([
      ['beside Wasm memory', {}],
      ['beside another provider', { provider: region() }],
    ] as const)('%s is used when the provider is empty, and each page once', async (_, main) => {
      const { provider, calls, free } = scripted({ pagesAtOnce: 4 });
      const pool = make({ ...main, pageCount: 8, reserve: { provider, pageCount: 4 } });
      expect(pool.pageCount).toBe(12);
      const handles = Array.from({ length: 8 }, () => pool.alloc());
      expect(calls).toEqual(['init']);
      const emergency = Array.from({ length: 4 }, () => pool.alloc());
      expect(emergency.every((handle) => handle !== 0)).toBe(true);
      expect(calls.some((call) => call.startsWith('grow'))).toBe(true);
      expect(pool.alloc()).toBe(0);
      for (const [i, handle] of emergency.entries()) pool.bytes(handle).fill(i + 1);
      for (const [i, handle] of emergency.entries()) expect(pool.bytes(handle)[1023]).toBe(i + 1);
      for (const handle of handles) expect(pool.bytes(handle)[0]).toBe(0);
      const { cached, ring } = pool.stats().pages;
      for (const handle of emergency) pool.release(handle);
      expect(pool.stats().pages).toMatchObject({ cached, ring });
      pool.poll();
      expect(free.toSorted((a, b) => a - b)).toEqual([9, 10, 11, 12]);
      // What is home in the cache is handed out again first.
      pool.release(handles.pop() as number);
      handles.push(pool.alloc());
      expect(free.length).toBe(4);
      for (const handle of handles) pool.release(handle);
      requireHome(pool);
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
      expect(calls.at(-1)).toBe('destroy');
    });

    it('has its page back when the fragments of it are gone, though a port cut them and would cut more', () => {
      const { provider, free } = scripted({ pagesAtOnce: 4 });
      const pool = make({ pageCount: 4, reserve: { provider, pageCount: 4 } });
      const handles = Array.from({ length: 4 }, () => pool.alloc());
      const isReserved = (handle: number): boolean => pool.area(handle).length === 4096;
      const emergency = Array.from({ length: 2 }, () => pool.allocFragment(512));
      expect(emergency.map(isReserved)).toEqual([true, true]);
      for (const handle of [...handles, ...emergency]) pool.release(handle);
      // The page is cut to its end and nobody is left: it is not cut again.
      const next = pool.allocFragment(512);
      expect(isReserved(next)).toBe(false);
      pool.release(next);
      pool.poll();
      expect(free.length).toBe(1); // the others were fed with it, and nobody took them
      pool.trim();
      requireHome(pool);
    });
  });
});
