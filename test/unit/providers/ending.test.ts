// The end of a pool with a provider, and of its owner: each page goes back once, and nothing is waited for twice.

import type { PagePool } from 'pagepool';
import { describe, expect, it, vi } from 'vitest';
import type { Area } from '../../../src/provider/provider.js';
import { expectAllHome } from '../../support/home.js';
import { type EngineKind, KINDS } from '../../support/ports.js';
import { loadAnotherRealm } from '../../support/realm.js';
import { poolsWith, scripted, takeAll } from '../../support/scripted.js';
import { HUNG_MS } from '../../support/waiting.js';

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  const { make } = poolsWith(kind);

  it('ends the provider after the last page, having given back every page', async () => {
    const { provider, calls, free } = scripted();
    const pool = make({ provider });
    const handle = pool.alloc();
    vi.useFakeTimers();
    pool.destroy();
    await vi.advanceTimersByTimeAsync(10_000); // the closing looks ten times whether everything is home
    expect(calls).not.toContain('destroy');
    pool.release(handle);
    await vi.advanceTimersByTimeAsync(1000);
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
    vi.useFakeTimers();
    expect(await pool.close()).toMatchObject({ isDestroyed: true, pinned: 1 });
    await vi.advanceTimersByTimeAsync(1000); // the supply looks ten times whether a page is pinned
    expect(calls).not.toContain('destroy');
    pool.unpin(pin);
    await vi.advanceTimersByTimeAsync(100);
    expect(calls).toContain('destroy');
    expect(calls.filter((call) => call.startsWith('retire'))).toEqual(['retire 7', 'retire 1']);
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
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true, inflight: 0, pinned: 1 });
    pool.unpin(pin);
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
      expectAllHome(other);
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
      expectAllHome(other);
      other.detach();
    });
  });
});
