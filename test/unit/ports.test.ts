// One thread's port: who hears of its changes, and where a call looks further that found no page.

import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.js';
import { portOf } from '../../src/pool/enrolled.js';
import { PagePool } from '../../src/pool/page-pool.js';
import { listen, type PortListener } from '../../src/port/port.js';
import { seekPages } from '../../src/port/want.js';
import { slabs } from '../../src/provider/slabs.js';
import '../../src/providers.js';
import '../../src/typescript.js';

const nobody: PortListener = { engineChanged: () => {}, lost: () => {} };

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  describe('a port', () => {
    it('has one listener, which its pool is', () => {
      const pool = PagePool.createSync({ engine, pageCount: 8 });
      const port = portOf('test', pool);
      expect(() => listen(port, nobody)).toThrow('there is a listener');
      expect(pool.alloc()).toBeGreaterThan(0); // it still hears of its engine
      pool.detach({ release: true });
    });

    it('is followed no longer once it is gone, and its engine cannot be changed', async () => {
      const pool = PagePool.createSync({ engine, pageCount: 8 });
      const port = portOf('test', pool);
      await pool.close();
      expect(port).toMatchObject({ isGone: true, isLost: false, listener: undefined });
      const refusing = port.engine;
      port.standIn({ ...refusing, alloc: () => 1 } as Engine);
      expect(port.engine).toBe(refusing);
      expect(() => pool.alloc()).toThrow(expect.objectContaining({ code: 'POOL_ERR_DESTROYED' }));
    });

    it('tells its pool of the engine that stands in for a while', () => {
      const pool = PagePool.createSync({ engine, pageCount: 8 });
      const port = portOf('test', pool);
      const own = port.engine;
      port.standIn({ ...own, alloc: () => 7 } as Engine);
      expect(pool.alloc()).toBe(7);
      port.standIn(own);
      expect(pool.alloc()).not.toBe(7);
      pool.detach({ release: true });
    });

    it('has a table of areas with one listener, where a provider has its pages', async () => {
      const pool = PagePool.createSync({ engine, pageCount: 64, provider: slabs() });
      const port = portOf('test', pool);
      const listener = { forget: () => {}, arrived: () => {} };
      expect(() => port.areas?.listen(listener, port)).toThrow('there is a listener');
      await pool.close();
    });
  });

  describe('a call that found no page looks further', () => {
    /** A pool whose one page this thread has open for fragments, of which none is held. */
    const openPool = (): PagePool => {
      const pool = PagePool.createSync({ engine, pageBytes: 4096, unitBytes: 64, pageCount: 1 });
      pool.release(pool.allocFragment(64));
      return pool;
    };

    const askOf =
      (pool: PagePool): (() => number) =>
      () =>
        portOf('test', pool).engine.alloc();

    it('in its own open page', () => {
      const pool = openPool();
      expect(askOf(pool)()).toBe(0);
      expect(seekPages(portOf('test', pool), 'test', 1, askOf(pool))).toBeGreaterThan(0);
      expect(seekPages(portOf('test', pool), 'test', 1, askOf(pool))).toBe(0);
      pool.detach({ release: true });
    });

    it('in its own open page, and goes on to the provider where that is not enough', () => {
      const pool = PagePool.createSync({ engine, pageCount: 64, provider: slabs() });
      pool.release(pool.allocFragment(64));
      const handles = new Uint32Array(64);
      expect(pool.allocBulk(handles, 64)).toBe(true);
      pool.detach({ release: true });
    });

    it('asks the provider for more where it has some', async () => {
      const pool = PagePool.createSync({ engine, pageCount: 64, provider: slabs() });
      expect(askOf(pool)()).toBe(0);
      expect(seekPages(portOf('test', pool), 'test', 1, askOf(pool))).toBeGreaterThan(0);
      pool.detach({ release: true });
    });
  });
});
