// Areas: known by every thread before their pages circulate, emptied when they retire, kept after all.

import { PagePool } from 'pagepool';
import { describe, expect, it, vi } from 'vitest';
import { AREAS_ANSWERED, AREAS_WANTED, PORT_AREAS_OFFSET } from '../../../assembly/layout.js';
import { freePort } from '../../../src/control/claims.js';
import { portOffset } from '../../../src/control/places.js';
import type { Area } from '../../../src/provider/provider.js';
import { expectAllHome } from '../../support/home.js';
import { type EngineKind, KINDS } from '../../support/ports.js';
import { codeOf, loadAnotherRealm } from '../../support/realm.js';
import { poolsWith, scripted, takeAll } from '../../support/scripted.js';
import { portBeside } from '../../support/shared-ports.js';
import { HUNG_MS, turns } from '../../support/waiting.js';

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  const { make } = poolsWith(kind);

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
    // One that asks for all areas gets no page before it has them, whatever it is sent: it is named as well.
    for (const word of [AREAS_WANTED, AREAS_ANSWERED]) {
      Atomics.store(other.memory.i32, known, word | 0);
      expect(pool.stats().provider.owner?.waitingFor).toEqual([other.id]);
    }
    other.engine.park();
    freePort(other);
    expect(pool.stats().provider.owner?.waitingFor).toEqual([]);
    expectAllHome(pool);
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
      expectAllHome(pool);
    });

    it('takes pages out of circulation as they come home, and refills waive those in the ring', async () => {
      const { provider, areas, free, calls, retireArea } = scripted({ pagesAtOnce: 16 });
      const pool = make({ provider });
      const handles = Array.from({ length: 16 }, () => pool.alloc());
      const held = handles.splice(0, 4);
      for (const handle of handles) pool.release(handle); // into cache and ring
      retireArea(areas[0] as Area);
      await turns(1);
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
      expectAllHome(pool);
    });
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
    expectAllHome(pool);
  });

  describe('an area that is kept after all', () => {
    it('has its pages circulate on, those in use and those in caches and ring', async () => {
      const { provider, areas, calls, retireArea, keepArea } = scripted({ pagesAtOnce: 32 });
      const pool = make({ provider });
      const held = takeAll(pool);
      for (const handle of held.splice(8)) pool.release(handle);
      retireArea(areas[0] as Area);
      keepArea(areas[0] as Area);
      await turns(1);
      expect(pool.stats().pages.pinned).toBe(0);
      for (const handle of held) pool.release(handle);
      const grown = calls.length;
      const again = takeAll(pool);
      expect(again.length).toBe(32);
      expect(calls.slice(grown)).not.toContain('retire');
      expect(pool.stats().alloc.waive).toBe(0);
      for (const handle of again) pool.release(handle);
      expectAllHome(pool);
      expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true, pinned: 0 });
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
      expectAllHome(pool);
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
      expectAllHome(pool);
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
      const all = takeAll(pool);
      expect(all.length).toBe(32);
      for (const handle of all) pool.release(handle);
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
      expectAllHome(pool);
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
      expectAllHome(pool);
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
      expectAllHome(pool);
    });
  });
});

describe('a share whose areas do not fit the pool', () => {
  type Change = { epoch: unknown; added: unknown };
  const first = (change: Change, more: object): Change => {
    const [area, ...others] = change.added as object[];
    return { ...change, added: [{ ...area, ...more }, ...others] };
  };
  it.each<[string, (change: Change) => unknown]>([
    ['are null', () => null],
    ['are a number', () => 5],
    ['are of no epoch', (change) => ({ ...change, epoch: -1 })],
    ['are no list', (change) => ({ ...change, added: {} })],
    ['have one that is null', (change) => ({ ...change, added: [null] })],
    ['have one that is a number', (change) => ({ ...change, added: [5] })],
    ['have one without numbers', (change) => ({ ...change, added: [{}] })],
    ['have one with a number that is none', (change) => first(change, { byteOffset: 0.5 })],
    ['have one before the first', (change) => first(change, { index: 0 })],
    ['have one without pages', (change) => first(change, { pages: 0 })],
    ['have one behind the last page', (change) => first(change, { firstPage: 33 })],
    ['have one that reaches over the last page', (change) => first(change, { pages: 33 })],
    ['have one in memory that is not shared', (change) => first(change, { buffer: new ArrayBuffer(2 ** 20) })],
    ['have one longer than its memory', (change) => first(change, { byteOffset: 2 ** 30 })],
  ])('is refused where they %s', async (_, change) => {
    const pool = await PagePool.create({ pageBytes: 4096, pageCount: 32, maxPorts: 2, provider: 'slab' });
    pool.release(pool.alloc());
    const share = pool.share() as unknown as { areas: Change };
    expect(share.areas.added).not.toEqual([]);
    const { PagePool: Other } = await loadAnotherRealm();
    const attach = (areas: unknown) => Other.attach({ ...share, areas } as never);
    expect(() => attach(change(share.areas))).toThrow(expect.objectContaining({ code: 'POOL_ERR_CORRUPT' }));
    attach(share.areas).detach();
    expect(await pool.close()).toMatchObject({ isDestroyed: true });
  });
});
