// A provider that does what its test says, and pools over it.

import type { PagePool, PoolOptions } from 'pagepool';
import { afterEach, vi } from 'vitest';
import type { Area, MemoryProvider, ProviderContext } from '../../src/provider/provider.js';
import { create, type EngineKind } from './ports.js';

export const OPTIONS: PoolOptions = { pageBytes: 1024, pageCount: 32, maxPorts: 4 };

/** A provider that does what the test says, over regions of its own, and remembers every call. */
export function scripted(script: Partial<MemoryProvider> & { pagesAtOnce?: number } = {}) {
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

/** Every page that the pool has, at most so many. */
export function takeAll(pool: PagePool, most = Number.POSITIVE_INFINITY): number[] {
  const handles: number[] = [];
  while (handles.length < most) {
    const handle = pool.alloc();
    if (handle === 0) break;
    handles.push(handle);
  }
  return handles;
}

/** Pools of one engine, which end with their test: where a test keeps a page, the end hangs. */
export function poolsWith(kind: EngineKind): { pools: PagePool[]; make(options: PoolOptions): PagePool } {
  const pools: PagePool[] = [];
  afterEach(async () => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    // A provider may be one that fails.
    for (const pool of pools.splice(0)) await pool.close({ ref: true }).catch(() => {});
  });
  return {
    pools,
    make: (options) => {
      const pool = create(kind, { ...OPTIONS, ...options });
      pools.push(pool);
      return pool;
    },
  };
}
