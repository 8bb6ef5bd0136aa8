// Providers that fail, break the contract or call the pool: the call is refused, and the pool works on.

import { PagePool, type PagePoolError } from 'pagepool';
import { describe, expect, it, vi } from 'vitest';
import type { ProviderContext } from '../../../src/provider/provider.js';
import { expectAllHome } from '../../support/home.js';
import { type EngineKind, KINDS } from '../../support/ports.js';
import { codeOf } from '../../support/realm.js';
import { OPTIONS, poolsWith, scripted, takeAll } from '../../support/scripted.js';
import { HUNG_MS, turns, until } from '../../support/waiting.js';

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  const { make, pools } = poolsWith(kind);

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
      const { provider } = scripted({ init: () => turns(1) });
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
      expectAllHome(pool);
      isBroken = false;
      const handle = pool.alloc();
      expect(pool.offset(handle)).toBeLessThan(2048);
      pool.release(handle);
      expectAllHome(pool);
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
      expectAllHome(pool);
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
      expectAllHome(pool);
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
      expectAllHome(pool);
    });

    it('in destroy fails the close, after the pool has ended', async () => {
      const { provider } = scripted({ destroy: broken });
      const pool = make({ provider });
      vi.spyOn(console, 'warn').mockImplementation(() => {});
      await expect(pool.close()).rejects.toMatchObject({ code: 'POOL_ERR_PROVIDER' });
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_DESTROYED');
    });

    it('in destroy is told by one warning where nobody waits for the end', async () => {
      const { provider, calls } = scripted({ destroy: broken });
      const pool = make({ provider });
      const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
      pool.destroy();
      await until(() => calls.includes('destroy'));
      await turns();
      expect(warned.mock.calls.flat()).toEqual([
        expect.stringMatching(/^pagepool "pool": close failed: provider="scripted" threw in destroy\(\)/),
      ]);
      warned.mockRestore();
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
      expectAllHome(pool);
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
          await turns(1);
          code = codeOf(() => reserve.context().feed(Uint32Array.of(firstPage)));
        },
      });
      const pool = make({
        provider: main.provider,
        pageCount: 8,
        reserve: { provider: reserve.provider, pageCount: 8 },
      });
      const { firstPage } = reserve.addRegion(reserve.context(), 8);
      expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
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
    expectAllHome(pool);
  });
});
