// A reserve: pages for the moments when the provider has none.

import { describe, expect, it } from 'vitest';
import { region } from '../../../examples/providers/region.js';
import { expectAllHome } from '../../support/home.js';
import { type EngineKind, KINDS } from '../../support/ports.js';
import { poolsWith, scripted } from '../../support/scripted.js';

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  const { make } = poolsWith(kind);

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
      expectAllHome(pool);
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
      expectAllHome(pool);
    });
  });
});
