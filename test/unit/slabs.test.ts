// Slabs: cut on demand, fullest first, dropped above the low-water mark, called in when they are almost empty; RSS
// follows.

import { PagePool, type PoolOptions } from 'pagepool';
import { type SlabOptions, slabs } from 'pagepool/providers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { witness } from '../../src/testing/witness.js';
import { create, type EngineKind, KINDS } from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { refuseBuffers } from '../support/scarce.js';
import { HUNG_MS, PATIENCE } from '../support/waiting.js';

const SLAB = 65536;
const PAGE = 4096;
const PER_SLAB = SLAB / PAGE;

describe('slabs() options', () => {
  it.each([{ slabBytes: 1000 }, { slabBytes: 2 ** 31 }, { keepBytes: -1 }, { idleMs: 0 }, { slabs: 1 }])(
    'refuses %j',
    (options) => {
      expect(codeOf(() => slabs(options as SlabOptions))).toBe('POOL_ERR_INVALID_ARGUMENT');
    },
  );

  it('are chosen by name', async () => {
    const pool = await PagePool.create({ provider: 'slab', pageBytes: 65536, pageCount: 64 });
    const handle = pool.alloc();
    expect(pool.area(handle).length).toBe(2 * 1024 * 1024);
    expect(pool.stats().provider).toMatchObject({ kind: 'slab', owner: { areas: 1 } });
    pool.release(handle);
    await pool.close();
  });
});

describe.each(KINDS)('slabs with the %s engine', (kind: EngineKind) => {
  const pools: PagePool[] = [];
  const make = (options: SlabOptions, more: PoolOptions = {}): PagePool => {
    const provider = slabs({ slabBytes: SLAB, keepBytes: 0, ...options });
    const pool = create(kind, { pageBytes: PAGE, pageCount: 8 * PER_SLAB, maxPorts: 2, provider, ...more });
    pools.push(pool);
    return pool;
  };
  const told = (pool: PagePool) => pool.stats().provider.owner?.description as Record<string, number>;
  const take = (pool: PagePool, count: number): number[] => Array.from({ length: count }, () => pool.alloc());
  const releaseAll = (pool: PagePool, handles: readonly number[]): void => {
    for (const handle of handles) pool.release(handle);
  };
  afterEach(async () => {
    vi.useRealTimers();
    for (const pool of pools.splice(0)) await pool.close({ timeoutMs: HUNG_MS });
    vi.restoreAllMocks();
  });

  it('cuts a slab when the last one has no page left, up to the pool', () => {
    const pool = make({});
    expect(told(pool).slabs).toBe(0);
    const handles = take(pool, PER_SLAB);
    expect(told(pool).slabs).toBe(1);
    handles.push(...take(pool, 7 * PER_SLAB));
    expect(handles.every((handle) => handle !== 0)).toBe(true);
    expect(told(pool)).toMatchObject({ slabs: 8, bytes: 8 * SLAB, freePages: 0 });
    expect(pool.alloc()).toBe(0);
    releaseAll(pool, handles);
  });

  it('uses page numbers to the last one where slabs do not divide them', () => {
    const pool = make({}, { pageCount: 2 * PER_SLAB + 3 });
    for (let round = 0; round < 3; round++) {
      const handles = take(pool, 2 * PER_SLAB + 3);
      expect(handles.every((handle) => handle !== 0)).toBe(true);
      expect(pool.alloc()).toBe(0);
      releaseAll(pool, handles);
      pool.trim();
    }
    expect(pool.audit()).toMatchObject({ errors: [], balanced: true });
  });

  it('drops wholly free slabs on trim, and keeps the low-water mark', () => {
    const pool = make({ keepBytes: 2 * SLAB });
    expect(told(pool).slabs).toBe(2);
    const handles = take(pool, 6 * PER_SLAB);
    releaseAll(pool, handles);
    pool.trim();
    expect(told(pool)).toMatchObject({ slabs: 2, bytes: 2 * SLAB, droppedSlabs: 4 });
    expect(pool.stats()).toMatchObject({ inflight: 0, provider: { owner: { areas: 2 } } });
  });

  it('keeps a slab as long as one page of it is used, and feeds from the fullest first', () => {
    const pool = make({}, { maxPorts: 32 }); // magazines of one page: what is fed is what is taken
    const handles = take(pool, 3 * PER_SLAB);
    const buffers = [...new Set(handles.map((handle) => pool.area(handle).buffer))];
    expect(buffers.length).toBe(3);
    // One page of the first slab, half of the second, nothing of the third.
    const kept = handles.filter((handle) => {
      const at = buffers.indexOf(pool.area(handle).buffer);
      return at === 0 ? pool.offset(handle) === 0 : at === 1 && pool.offset(handle) < SLAB / 2;
    });
    releaseAll(
      pool,
      handles.filter((handle) => !kept.includes(handle)),
    );
    pool.trim();
    // The third is dropped, the first called in: the second has room for twice its page.
    expect(told(pool)).toMatchObject({ slabs: 2, retiringSlabs: 1, droppedSlabs: 1 });
    const more = take(pool, 4);
    for (const handle of more) expect(pool.area(handle).buffer).toBe(buffers[1]);
    const last = kept.find((handle) => pool.area(handle).buffer === buffers[0]) as number;
    releaseAll(pool, [last]);
    pool.poll();
    pool.poll();
    expect(told(pool)).toMatchObject({ slabs: 1, retiringSlabs: 0, droppedSlabs: 2 });
    releaseAll(pool, [...more, ...kept.filter((handle) => handle !== last)]);
    pool.trim();
    expect(told(pool)).toMatchObject({ slabs: 0, droppedSlabs: 3 });
    expect(pool.audit()).toMatchObject({ errors: [], balanced: true });
  });

  /** A page of a slab that is called in, and what keeps the others from following it. */
  const callIn = (pool: PagePool): { last: number; others: number[] } => {
    const handles = take(pool, 3 * PER_SLAB);
    const buffers = [...new Set(handles.map((handle) => pool.area(handle).buffer))];
    const [last = 0] = handles.filter((handle) => pool.area(handle).buffer === buffers[0]);
    const others = handles.filter((handle) => pool.area(handle).buffer === buffers[1]).slice(0, PER_SLAB / 2);
    releaseAll(
      pool,
      handles.filter((handle) => handle !== last && !others.includes(handle)),
    );
    return { last, others };
  };

  it('ends with the pool whose last page comes home from a slab that is called in', async () => {
    const provider = slabs({ slabBytes: SLAB, keepBytes: 0 });
    const pool = make({}, { provider, maxPorts: 32 });
    const { last, others } = callIn(pool);
    pool.trim();
    expect(told(pool)).toMatchObject({ retiringSlabs: 1 });
    releaseAll(pool, [...others, last]);
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true, pinned: 0 });
    expect(provider.describe()).toMatchObject({ pools: 0, slabs: 0 });
  });

  it('keeps a pinned page of a slab that is called in until its own unpin', () => {
    const pool = make({}, { maxPorts: 32 });
    const { last, others } = callIn(pool);
    const pin = pool.pin(last);
    const area = pool.area(last);
    pool.trim();
    expect(told(pool)).toMatchObject({ retiringSlabs: 1 });
    area[pool.offset(last)] = 77;
    pool.release(last);
    for (let i = 0; i < 4; i++) pool.trim();
    expect(pool.stats().pages.pinned).toBe(1);
    expect(told(pool)).toMatchObject({ retiringSlabs: 1 });
    pool.unpin(pin);
    pool.poll();
    pool.trim();
    expect(told(pool)).toMatchObject({ retiringSlabs: 0 });
    releaseAll(pool, others);
  });

  it('drops the slab of a page that was pinned beyond the pool, in silence', async () => {
    const warn = vi.spyOn(console, 'warn');
    const provider = slabs({ slabBytes: SLAB, keepBytes: 0 });
    const pool = make({}, { provider });
    const handle = pool.alloc();
    const pin = pool.pin(handle);
    pool.release(handle);
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true, pinned: 1 });
    expect(provider.describe()).toMatchObject({ pools: 1, slabs: 1 });
    pool.unpin(pin);
    await vi.waitFor(() => expect(provider.describe()).toMatchObject({ pools: 0, droppedSlabs: 1 }), PATIENCE);
    expect(warn).not.toHaveBeenCalled();
  });

  it('drops them by itself when nothing is allocated for a while', async () => {
    vi.useFakeTimers();
    const pool = make({ idleMs: 20 });
    releaseAll(pool, take(pool, 4 * PER_SLAB));
    await vi.waitFor(() => expect(told(pool).slabs).toBe(0), PATIENCE);
    const handle = pool.alloc();
    expect(handle).not.toBe(0);
    pool.release(handle);
  });

  it('cuts smaller slabs where the platform refuses large ones, and gives 0 where it refuses all', () => {
    const pool = make({ slabBytes: 4 * SLAB });
    let most = SLAB;
    refuseBuffers(() => most);
    try {
      const handle = pool.alloc();
      expect(pool.area(handle).length).toBe(SLAB);
      pool.release(handle);
      pool.trim();
      most = 0;
      expect(pool.alloc()).toBe(0);
    } finally {
      vi.unstubAllGlobals();
    }
    const handle = pool.alloc();
    expect(handle).not.toBe(0);
    pool.release(handle);
  });

  it('fills the gaps that slabs of other sizes left between two others', () => {
    const pool = make({}, { pageCount: 3 * PER_SLAB, maxPorts: 32 });
    let most = SLAB / 2;
    refuseBuffers(() => most);
    try {
      const small = take(pool, PER_SLAB / 2);
      most = SLAB;
      const large = take(pool, PER_SLAB);
      most = SLAB / 2;
      small.push(...take(pool, PER_SLAB / 2));
      most = SLAB;
      large.push(...take(pool, PER_SLAB));
      expect([...small, ...large]).not.toContain(0);
      expect(told(pool)).toMatchObject({ slabs: 4, freePages: 0 });
      releaseAll(pool, small);
      pool.trim();
      expect(told(pool).slabs).toBe(2);
      // As many page numbers as a slab has, in two places.
      const again = take(pool, PER_SLAB);
      expect(again).not.toContain(0);
      expect(pool.alloc()).toBe(0);
      releaseAll(pool, [...large, ...again]);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('feeds a slab that was called in again where nothing else is left', async () => {
    const pool = make({}, { pageCount: 2 * PER_SLAB, maxPorts: 32 });
    let held = take(pool, 2 * PER_SLAB);
    const buffers = [...new Set(held.map((handle) => pool.area(handle).buffer))];
    for (let round = 0; round < 3; round++) {
      // One page of each slab is used: both could be called in, and one is.
      const kept = buffers.map((buffer) => held.find((handle) => pool.area(handle).buffer === buffer) as number);
      releaseAll(
        pool,
        held.filter((handle) => !kept.includes(handle)),
      );
      pool.trim();
      expect(told(pool)).toMatchObject({ slabs: 2, retiringSlabs: 1 });
      const again = take(pool, 2 * PER_SLAB - 2);
      expect(again).not.toContain(0);
      expect(told(pool)).toMatchObject({ slabs: 2, retiringSlabs: 0, freePages: 0 });
      expect(pool.alloc()).toBe(0);
      held = [...kept, ...again];
    }
    releaseAll(pool, held);
    for (let i = 0; i < 4; i++) pool.trim();
    expect(told(pool)).toMatchObject({ slabs: 0 });
    expect(pool.audit()).toMatchObject({ errors: [], balanced: true, pages: { used: 0, pinned: 0 } });
  });

  it.each([
    ['is kept', 1],
    ['is fed from', 2],
  ])('feeds it where it %s the next time, when the first time fails', (_, call) => {
    const watch = witness(slabs({ slabBytes: SLAB, keepBytes: 0 }));
    const pool = make({}, { pageCount: 2 * PER_SLAB, maxPorts: 32, provider: watch.provider });
    const held = take(pool, 2 * PER_SLAB);
    releaseAll(pool, held.splice(1, held.length - 2));
    pool.trim();
    expect(told(pool)).toMatchObject({ retiringSlabs: 1 });
    held.push(...take(pool, PER_SLAB - 1));
    watch.failAt = watch.calls + call;
    expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_PROVIDER');
    expect(told(pool)).toMatchObject({ retiringSlabs: 1 });
    held.push(...take(pool, PER_SLAB - 1));
    expect(held).not.toContain(0);
    expect(told(pool)).toMatchObject({ retiringSlabs: 0, freePages: 0 });
    releaseAll(pool, held);
    expect(watch.faults).toEqual([]);
  });

  it('keeps the low-water mark beside a slab that is called in', () => {
    const pool = make({ keepBytes: 2 * SLAB }, { maxPorts: 32 });
    const handles = take(pool, 3 * PER_SLAB);
    const buffers = [...new Set(handles.map((handle) => pool.area(handle).buffer))];
    const of = (index: number): number[] => handles.filter((handle) => pool.area(handle).buffer === buffers[index]);
    const [called, half, other] = [of(0), of(1), of(2)];
    releaseAll(pool, [...called.splice(1), ...half.splice(PER_SLAB / 2), ...other.splice(PER_SLAB / 2)]);
    pool.trim();
    expect(told(pool)).toMatchObject({ slabs: 3, retiringSlabs: 1 });
    releaseAll(pool, half);
    pool.trim();
    expect(told(pool)).toMatchObject({ slabs: 3, retiringSlabs: 1 });
    releaseAll(pool, called);
    for (let i = 0; i < 3; i++) pool.trim();
    expect(told(pool)).toMatchObject({ slabs: 2, bytes: 2 * SLAB, retiringSlabs: 0 });
    releaseAll(pool, other);
  });

  describe('long after the last allocation', () => {
    beforeEach(() => void vi.useFakeTimers());
    /** More than the looks by which an idle pool is emptied. */
    const quiet = () => vi.advanceTimersByTimeAsync(150);

    it.each([1, 4 * PER_SLAB])('drops what is released then: %d pages', async (count) => {
      const pool = make({ idleMs: 20 });
      const handles = take(pool, count);
      await quiet();
      releaseAll(pool, handles);
      await vi.waitFor(() => expect(told(pool).slabs).toBe(0), PATIENCE);
    });

    it('drops a slab that was called in when its last page is released then', async () => {
      const pool = make({ idleMs: 20 }, { maxPorts: 32 });
      const { last, others } = callIn(pool);
      await vi.waitFor(() => expect(told(pool).retiringSlabs).toBe(1), PATIENCE);
      await quiet();
      releaseAll(pool, [last]);
      await vi.waitFor(() => expect(told(pool)).toMatchObject({ slabs: 1, retiringSlabs: 0 }), PATIENCE);
      releaseAll(pool, others);
    });

    it('drops the slab of a page whose pin is undone then', async () => {
      const pool = make({ idleMs: 20 });
      const handle = pool.alloc();
      const pin = pool.pin(handle);
      pool.release(handle);
      await quiet();
      expect(told(pool).slabs).toBe(1);
      pool.unpin(pin);
      await vi.waitFor(() => expect(told(pool).slabs).toBe(0), PATIENCE);
    });
  });
});
