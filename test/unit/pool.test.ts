// PagePool in one thread: the number calls, views, statistics, detaching and closing.

import { PagePool, type PoolOptions } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, loadAnotherRealm, messageOf } from '../support/realm.js';
import { HUNG_MS, until } from '../support/waiting.js';

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;
  const create = (options?: PoolOptions) => PagePool.createSync({ engine, pageCount: 64, maxPorts: 4, ...options });

  beforeEach(() => {
    pool = create({ channels: { work: { capacity: 4, batch: 2 } } });
  });
  afterEach(() => pool.destroy());

  /** Nothing is missing, nothing is there twice. */
  function expectBalance(used = 0): void {
    const audit = pool.audit();
    expect(audit.errors).toEqual([]);
    expect(audit).toMatchObject({ balanced: true, exact: true, pages: { used } });
  }

  /** Releases everything and expects every page to be home. */
  function expectAllHome(): void {
    expectBalance();
    pool.trim();
    expect(pool.inflight).toBe(0);
  }

  describe('a pool', () => {
    it('hands out every page once, then 0, and takes them all back', () => {
      const handles = Array.from({ length: 64 }, () => pool.alloc());
      expect(new Set(handles).size).toBe(64);
      expect(handles.every((handle) => handle > 0 && handle < 2 ** 30)).toBe(true);
      expect(pool.alloc()).toBe(0);
      expect(pool.take()).toBe(null);
      expect(pool.allocFragment(100)).toBe(0);
      expectBalance(64);
      for (const handle of handles) pool.release(handle);
      expectAllHome();
    });

    it('refuses every number that is no live handle and changes nothing', () => {
      const page = pool.alloc();
      const calls: ((handle: number) => unknown)[] = [
        (handle) => pool.release(handle),
        (handle) => pool.retain(handle),
        (handle) => pool.bytes(handle),
        (handle) => pool.area(handle),
        (handle) => pool.offset(handle),
        (handle) => pool.extent(handle),
        (handle) => pool.refCount(handle),
        (handle) => pool.isReadable(handle),
        (handle) => pool.pin(handle),
        (handle) => pool.fragment(handle),
        (handle) => pool.channel('work').send(handle, 0, 1),
      ];
      const bad = [
        0,
        -0,
        -1,
        1.5,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        2 ** 31,
        2 ** 32,
        2 ** 32 + page,
        -(2 ** 31),
        '1',
        null,
        undefined,
        {},
      ];
      for (const call of calls) {
        for (const handle of bad)
          expect(
            codeOf(() => call(handle as number)),
            String(handle),
          ).toBe('POOL_ERR_INVALID_ARGUMENT');
        for (const handle of [page ^ (1 << 29), page + 1, 2 ** 30 + page]) {
          expect(
            codeOf(() => call(handle)),
            `${call} ${handle}`,
          ).toMatch(/STALE|FOREIGN/);
        }
      }
      expect(pool.refCount(page)).toBe(1);
      expectBalance(1);
      pool.release(page);
      expect(codeOf(() => pool.release(page))).toBe('POOL_ERR_STALE_HANDLE');
      expectAllHome();
    });

    it('refuses another pool’s handles', () => {
      const other = create();
      const page = other.alloc();
      expect(codeOf(() => pool.release(page))).toMatch(/STALE|FOREIGN/);
      other.release(page);
      other.destroy();
    });

    it('counts references, and recycles with the last', () => {
      const page = pool.alloc();
      pool.retain(page);
      pool.retain(page, 3);
      expect(pool.refCount(page)).toBe(5);
      for (let i = 0; i < 5; i++) pool.release(page);
      expect(codeOf(() => pool.release(page))).toBe('POOL_ERR_STALE_HANDLE');
      for (const count of [0, -1, 1.5, 65536, Number.NaN, '1']) {
        expect(codeOf(() => pool.retain(page, count as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      expectAllHome();
    });

    it('refuses a reference beyond 65,535', () => {
      const page = pool.alloc();
      pool.retain(page, 65534);
      expect(codeOf(() => pool.retain(page))).toBe('POOL_ERR_REF_OVERFLOW');
      expect(pool.refCount(page)).toBe(65535);
      for (let i = 0; i < 65535; i++) pool.release(page);
      expectAllHome();
    });

    it('cuts fragments that do not overlap, and refuses sizes outside a page', () => {
      const handles = [100, 64, 1, 2000, 300].map((bytes) => pool.allocFragment(bytes));
      const ranges = handles
        .map((handle) => [pool.offset(handle), pool.extent(handle)] as const)
        .sort((a, b) => a[0] - b[0]);
      ranges.reduce((end, [offset, bytes]) => {
        expect(offset).toBeGreaterThanOrEqual(end);
        return offset + bytes;
      }, 0);
      expect(handles.map((handle) => pool.extent(handle))).toEqual([128, 64, 64, 2048, 320]);
      for (const handle of handles) pool.release(handle);
      expect(() => pool.allocFragment(4097)).toThrow(RangeError);
      expect(codeOf(() => pool.allocFragment(4097))).toBe('POOL_ERR_INVALID_ARGUMENT');
      for (const bytes of [0, -1, 1.5, Number.NaN, '64', null]) {
        expect(codeOf(() => pool.allocFragment(bytes as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
        expect(codeOf(() => pool.take(bytes as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      pool.trim();
      expectAllHome();
    });

    it('keeps one view a whole page, and bounds every window', () => {
      const page = pool.alloc();
      const view = pool.bytes(page);
      expect(view.byteLength).toBe(4096);
      expect(pool.bytes(page)).toBe(view);
      expect(pool.area(page).subarray(pool.offset(page), pool.offset(page) + 4096).byteOffset).toBe(view.byteOffset);
      view.set([1, 2, 3], 10);
      expect([...pool.bytes(page, 10, 3)]).toEqual([1, 2, 3]);
      expect(pool.bytes(page, 4000).byteLength).toBe(96);
      expect(pool.bytes(page, 4096).byteLength).toBe(0);
      for (const [offset, length] of [
        [-1, 1],
        [4097, 0],
        [0, 4097],
        [1, 4096],
        [0.5, 1],
        [0, Number.NaN],
      ] as const) {
        expect(codeOf(() => pool.bytes(page, offset, length))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      pool.release(page);
      const fragment = pool.allocFragment(100);
      expect(pool.bytes(fragment).byteLength).toBe(128);
      expect(codeOf(() => pool.bytes(fragment, 0, 129))).toBe('POOL_ERR_INVALID_ARGUMENT');
      pool.release(fragment);
    });

    it('overwrites released pages with zeros when asked', () => {
      const zeroing = create({ zero: 'on-release', pageCount: 1 });
      const page = zeroing.alloc();
      const view = zeroing.bytes(page).fill(9);
      zeroing.release(page);
      expect(view.every((byte) => byte === 0)).toBe(true);
      zeroing.destroy();
    });

    it('hands out scratch words that do not overlap, until they are used up', () => {
      const arrays = [pool.words(10), pool.words(100)];
      arrays[0]?.fill(1);
      arrays[1]?.fill(2);
      expect(arrays[0]?.every((word) => word === 1)).toBe(true);
      expect(messageOf(() => pool.words(7168))).toContain('at most 7058, what this thread');
      for (const count of [0, -1, 1.5, 2 ** 32, Number.NaN, '1', undefined]) {
        expect(codeOf(() => pool.words(count as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
    });

    const arrays = {
      'its own words': (count: number) => pool.words(count),
      'a foreign array': (count: number) => new Uint32Array(count),
    };
    describe.each(Object.entries(arrays))('bursts on %s', (_, array) => {
      it('bring as many as there are, and bulks all or none', () => {
        const out = array(80);
        expect(pool.allocBurst(out, 10)).toBe(10);
        expect(pool.allocBurst(out.subarray(10), 70)).toBe(54);
        expect(new Set(out.subarray(0, 64)).size).toBe(64);
        expect(pool.allocBurst(out, 1)).toBe(0);
        expect(pool.allocBulk(out, 1)).toBe(false);
        pool.releaseBulk(out, 64);
        expectBalance();
        expect(pool.allocBulk(out, 65)).toBe(false);
        expect(pool.allocBulk(out, 64)).toBe(true);
        pool.releaseBulk(out.subarray(0, 64));
        expect(pool.allocBurst(out, 0)).toBe(0);
        expect(pool.allocBulk(out, 0)).toBe(true);
        pool.releaseBulk(out, 0);
        expectAllHome();
      });

      it('stop at the first bad handle, name its index, and leave the rest', () => {
        const out = array(4);
        pool.allocBulk(out, 4);
        const third = out[2] as number;
        pool.release(third);
        expect(() => pool.releaseBulk(out)).toThrow(
          expect.objectContaining({ code: 'POOL_ERR_STALE_HANDLE', index: 2 }),
        );
        expect(pool.refCount(out[3] as number)).toBe(1);
        expectBalance(1);
        pool.release(out[3] as number);
      });

      it('refuse counts that the array has no room for', () => {
        const out = array(4);
        for (const count of [-1, 5, 1.5, Number.NaN, '1', null]) {
          expect(codeOf(() => pool.allocBurst(out, count as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
          expect(codeOf(() => pool.allocBulk(out, count as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
          expect(codeOf(() => pool.releaseBulk(out, count as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
          expect(codeOf(() => pool.channel('work').receiveBurst(out, count as number))).toBe(
            'POOL_ERR_INVALID_ARGUMENT',
          );
        }
        expectBalance();
      });
    });

    it('keeps bulks above the scratch all or nothing', () => {
      const large = create({ pageCount: 3000 });
      const out = new Uint32Array(3001);
      expect(large.allocBulk(out, 3001)).toBe(false);
      expect(out.every((word) => word === 0)).toBe(true);
      expect(large.allocBulk(out, 3000)).toBe(true);
      large.releaseBulk(out, 3000);
      expect(large.audit()).toMatchObject({ balanced: true, pages: { used: 0 } });
      large.destroy();
    });

    it('refuses arrays of other kinds', () => {
      for (const array of [[], new Uint8Array(8), new Int32Array(8), null, undefined, 8, new Float64Array(8)]) {
        expect(codeOf(() => pool.allocBurst(array as never, 1))).toBe('POOL_ERR_INVALID_ARGUMENT');
        expect(codeOf(() => pool.releaseBulk(array as never, 1))).toBe('POOL_ERR_INVALID_ARGUMENT');
        expect(codeOf(() => pool.releaseBulk(array as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
        expect(codeOf(() => pool.channel('work').sendBurst(array as never, 1))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
    });

    it('lets a pinned page leave, and takes it back with the last unpin', () => {
      const page = pool.alloc();
      const token = pool.pin(page);
      const again = pool.pin(page);
      pool.release(page);
      expect(pool.stats()).toMatchObject({ pages: { pinned: 1 }, recycle: { releasedRefcnt: 1 } });
      expectBalance();
      pool.unpin(token);
      expect(pool.stats().pages.pinned).toBe(1);
      pool.unpin(again);
      expect(pool.stats().pages.pinned).toBe(0);
      expect(codeOf(() => pool.unpin(token))).toBe('POOL_ERR_TOKEN_SPENT');
      for (const bad of [0, -1, 1.5, 2 ** 31, Number.NaN, '1', null]) {
        expect(codeOf(() => pool.unpin(bad as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      expect(codeOf(() => pool.unpin(65))).toBe('POOL_ERR_TOKEN_SPENT');
      expectAllHome();
    });

    it('grows its memory in steps, and other threads see the new pages', async () => {
      const large = PagePool.createSync({ engine, pageBytes: 65536, pageCount: 256, maxPorts: 2, channels: { a: {} } });
      const share = large.share();
      const other = (await loadAnotherRealm()).PagePool.attach(share as never);
      const first = large.stats().memoryBytes;
      const handles = Array.from({ length: 256 }, () => large.alloc());
      expect(large.stats().memoryBytes).toBeGreaterThan(first);
      const last = handles.at(-1) as number;
      large.bytes(last).fill(5);
      large.channel('a').send(last, 0, 65536);
      const came = other.channel('a').receive();
      expect(came?.bytes.every((byte) => byte === 5)).toBe(true);
      came?.release();
      for (const handle of handles.slice(0, -1)) large.release(handle);
      other.detach();
      large.destroy();
      expect(large.inflight).toBe(0);
    });

    it('reports by the kernel’s names where pages came from and went', () => {
      const page = pool.alloc();
      pool.release(page);
      pool.alloc();
      expect(codeOf(() => pool.release(page))).toBe('POOL_ERR_STALE_HANDLE');
      const stats = pool.stats();
      expect(stats.alloc).toMatchObject({ fast: 1, slow: 1, slowHighOrder: 0, waive: 0, fail: 0 });
      expect(stats.recycle).toMatchObject({ cached: 1, cacheFull: 0, ring: 0, ringFull: 0, releasedRefcnt: 0 });
      expect(stats).toMatchObject({
        name: 'pool',
        engine,
        generationBits: 14,
        rejected: 1,
        repaired: 0,
        suspect: 0,
      });
      expect(stats.pages.used + stats.pages.cached + stats.pages.ring + stats.pages.provider).toBe(64);
      expect(stats.inflight).toBe(stats.hold - stats.release);
      expect(stats.ports.map(({ isClaimed }) => isClaimed)).toEqual([true, false, false, false]);
      expect(stats.ports[0]?.alloc).toEqual(stats.alloc);
    });

    it('detaches only without references, or releases them when asked', () => {
      const page = pool.alloc();
      const fragment = pool.allocFragment(100);
      expect(messageOf(() => pool.detach())).toContain('references held=2 (expected 0)');
      expect(codeOf(() => pool.detach({ release: 1 } as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      expect(codeOf(() => pool.detach({ force: true } as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      pool.release(page);
      expect(pool.refCount(fragment)).toBe(1);
      pool.detach({ release: true });
      expect(pool.audit()).toMatchObject({ balanced: true, pages: { used: 0 } });
      for (const call of [
        () => pool.alloc(),
        () => pool.release(page),
        () => pool.bytes(page),
        () => pool.channel('work').receive(),
      ]) {
        expect(codeOf(call)).toBe('POOL_ERR_DESTROYED');
      }
      pool.detach();
    });

    it('leaves nothing behind in its port: the next thread finds all pages, and the entries of its inbox', async () => {
      const realm = await loadAnotherRealm();
      const other = realm.PagePool.attach(pool.share() as never);
      const words = pool.words(8);
      const page = pool.alloc();
      pool.retain(page);
      words.set([page, 0, 10, 1, page, 10, 10, 2]);
      expect(pool.channel('work').sendBurst(words, 2)).toBe(2);
      const first = other.channel('work').receive();
      expect(first?.tag).toBe(1);
      first?.release();
      other.detach();
      const second = pool.channel('work').receive();
      expect(second?.tag).toBe(2);
      second?.release();
      const handles = Array.from({ length: 64 }, () => pool.alloc());
      expect(handles).not.toContain(0);
      for (const handle of handles) pool.release(handle);
      expectAllHome();
    });

    it('says which channels there are when asked for another', () => {
      expect(messageOf(() => pool.channel('play'))).toContain(
        'name="play" (expected a channel of the pool\'s options: work)',
      );
      expect(codeOf(() => pool.channel(7 as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      expect(pool.channel('work')).toBe(pool.channel('work'));
    });
  });

  describe('closing', () => {
    it('ends at once when every page is home', async () => {
      expect(await pool.close()).toMatchObject({ isDestroyed: true, inflight: 0 });
      expect(await pool.close()).toMatchObject({ isDestroyed: true, inflight: 0 });
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_DESTROYED');
      expect(codeOf(() => pool.channel('work').send(1, 0, 0))).toBe('POOL_ERR_DESTROYED');
    });

    it('waits for the last page, hands no other out, and takes late releases', async () => {
      const page = pool.alloc();
      const closed = pool.close();
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_CLOSING');
      await expect(pool.takeAsync()).rejects.toMatchObject({ code: 'POOL_ERR_CLOSING' });
      expect(pool.inflight).toBe(1);
      pool.bytes(page).fill(1);
      pool.release(page);
      expect(await closed).toMatchObject({ isDestroyed: true, inflight: 0 });
    });

    it('reports what is missing after timeoutMs, and goes on', async () => {
      const page = pool.alloc();
      expect(await pool.close({ timeoutMs: 20 })).toMatchObject({ isDestroyed: false, inflight: 1 });
      pool.release(page);
      expect(await pool.close()).toMatchObject({ isDestroyed: true, inflight: 0 });
    });

    it('throws the reason of an aborted signal, and goes on', async () => {
      const page = pool.alloc();
      await expect(pool.close({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
      pool.release(page);
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    });

    it('releases what is in channels, and ends those who receive from them', async () => {
      const channel = pool.channel('work');
      const next = channel.next();
      for (let i = 0; i < 3; i++) pool.take()?.lend();
      expect(pool.reclaimTokens(0)).toBe(3);
      channel.send(pool.alloc(), 0, 1);
      channel.send(pool.alloc(), 0, 1);
      (await next)?.release();
      const loop = (async () => {
        for await (const fragment of channel) fragment.release();
      })();
      expect(await pool.close()).toMatchObject({ isDestroyed: true, inflight: 0 });
      await loop;
      expect(await channel.next()).toBe(null);
    });

    it('lets pins be undone afterwards', async () => {
      const page = pool.alloc();
      const token = pool.pin(page);
      pool.release(page);
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
      pool.unpin(token);
      expect(codeOf(() => pool.unpin(token))).toBe('POOL_ERR_TOKEN_SPENT');
    });

    it('is the creator’s: an attached pool detaches instead, and parks when the pool closes', async () => {
      const realm = await loadAnotherRealm();
      const attach = () => realm.PagePool.attach(pool.share() as never);
      const other = attach();
      expect(await other.close()).toMatchObject({ isDestroyed: false, inflight: pool.inflight });
      expect(codeOf(() => other.alloc())).toBe('POOL_ERR_DESTROYED');
      const third = attach();
      third.release(third.alloc());
      expect(pool.inflight).toBeGreaterThan(0);
      expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true, inflight: 0 });
      await until(() => codeOf(() => third.alloc()) === 'POOL_ERR_DESTROYED');
    });

    it('comes with `await using`', async () => {
      await pool[Symbol.asyncDispose]();
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_DESTROYED');
    });
  });
});
