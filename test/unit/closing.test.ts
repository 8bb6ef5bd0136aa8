// Closing: what the report names, when it warns, who goes on when the closer is gone, and that nothing is left behind.

import type { CloseReport, PagePool } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  CONTROL_BASE,
  HEADER_CLOSER_OFFSET,
  HEADER_STATE_OFFSET,
  PORT_LIMIT_OFFSET,
  PORT_PARKED_OFFSET,
  STATE_CLOSING,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { freePort } from '../../src/control/claims.js';
import { cachedPages } from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import type { Port } from '../../src/port/port.js';
import { PortReaper } from '../../src/recovery/port-reaper.js';
import { create, type EngineKind, KINDS, pageOf } from '../support/ports.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { portBeside } from '../support/shared-ports.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';

const texts = ({ holders }: CloseReport): string[] => holders.map(({ text }) => text);

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  let pool: PagePool;
  let memory: Port['memory'];
  const attached: PagePool[] = [];
  const attach = async (label?: string): Promise<PagePool> => {
    const realm = await loadAnotherRealm();
    const other = realm.PagePool.attach(pool.share() as never, label === undefined ? {} : { label });
    attached.push(other as never);
    return other as never;
  };
  const beside = (): Port => {
    const port = portBeside(pool, kind);
    memory = port.memory;
    return port;
  };
  const word = (address: number): number => Atomics.load(memory.i32, address >>> 2);
  const state = (): number => word(CONTROL_BASE + HEADER_STATE_OFFSET);
  const leave = (port: Port): void => {
    port.engine.park();
    freePort(port);
  };

  beforeEach(() => {
    pool = create(kind, { name: 'p', pageCount: 40, maxPorts: 5, channels: { work: { capacity: 8, batch: 4 } } });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    // A pool that goes on closing would warn in the next test, whose timers are fake.
    for (const each of [...attached.splice(0), pool]) codeOf(() => each.detach({ release: true }));
  });

  describe('the report', () => {
    /** The report when those threads have parked. */
    const report = (...others: readonly PagePool[]) => {
      pool.destroy();
      for (const other of others) other.poll();
      return pool.close({ timeoutMs: 30 });
    };

    it('names references by port, with label, claim and first pages', async () => {
      const other = await attach('encoder');
      const handles = Array.from({ length: 12 }, () => other.alloc());
      other.retain(handles[0] as number, 3);
      const { holders, ...rest } = await report(other);
      expect(rest).toEqual({ isDestroyed: false, inflight: 12, pinned: 0, isTakenOver: false });
      expect(holders).toEqual([
        {
          kind: 'references',
          portId: other.portId,
          label: 'encoder',
          claim: 1,
          channel: null,
          pageCount: 12,
          firstPages: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
          text: `port ${other.portId} "encoder" holds 12 pages (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...)`,
        },
      ]);
      for (const handle of [...handles, ...Array(3).fill(handles[0])]) other.release(handle);
      expect(await pool.close()).toEqual({
        isDestroyed: true,
        inflight: 0,
        pinned: 0,
        holders: [],
        isTakenOver: false,
      });
    });

    it('names caches and open fragment pages of ports that have not run since, and ports that only run', async () => {
      const [cacher, runner] = [beside(), beside()];
      cacher.engine.release(cacher.engine.alloc());
      cacher.engine.allocFragment(100);
      const held = await report();
      expect(texts(held)).toEqual([
        expect.stringMatching(/^port 1 "\w+" holds 1 page \(\d+\)$/),
        expect.stringMatching(/^port 1 "\w+" caches \d+ pages \([\d, .]+\) and has not run since$/),
        expect.stringMatching(/^port 2 "\w+" has not run since$/),
      ]);
      expect(held.holders.map(({ kind, portId }) => [kind, portId])).toEqual([
        ['references', 1],
        ['cache', 1],
        ['running', 2],
      ]);
      cacher.engine.releaseHeld(held.holders[0]?.firstPages[0] as number, 1);
      cacher.engine.poll();
      const running = await report();
      expect(running.inflight).toBe(0);
      expect(running.isDestroyed).toBe(false);
      expect(texts(running)).toEqual([expect.stringMatching(/^port 2 "\w+" has not run since$/)]);
      runner.engine.poll();
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    });

    it('names what was received in a batch and not taken, tokens, and pages that are pinned', async () => {
      const other = beside();
      for (let i = 0; i < 3; i++) pool.channel('work').send(pool.alloc(), 0, 1, i);
      const words = pool.words(4 * 4);
      for (let i = 0; i < 4; i++) words.set([pool.alloc(), 0, 1, i], 4 * i);
      expect(pool.channel('work').sendBurst(words, 4)).toBe(4);
      expect(other.engine.receiveBurst(0, other.scratch.ownAddress, 4)).toBe(4);
      const token = pool.take()?.lend();
      const pinned = pool.alloc();
      const pin = pool.pin(pinned);
      const found = await report();
      expect(found).toMatchObject({ isDestroyed: false, inflight: 9, pinned: 1 });
      expect(found.holders.map(({ kind, portId, channel, pageCount }) => [kind, portId, channel, pageCount])).toEqual([
        ['references', 0, null, 1],
        ['references', other.id, null, 4],
        ['channel', other.id, 'work', 3],
        ['running', other.id, null, 0],
        ['token', null, null, 1],
      ]);
      expect(texts(found)[2]).toMatch(/has 3 pages \([\d, ]+\), received from channel "work" and not taken$/);
      expect(texts(found)[4]).toMatch(/^tokens lent and not adopted have 1 page \(\d+\)/);
      pool.release(pinned);
      pool.unpin(pin);
      expect(pool.reclaimTokens(0)).toBe(token === undefined ? 0 : 1);
      other.engine.receiveBurst(0, other.scratch.ownAddress, 8);
      for (let page = 1; page <= 40; page++) other.engine.releaseHeld(page, 9);
      leave(other);
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    });

    it('names ports that are set aside, or that somebody reaps', async () => {
      const aside = beside();
      aside.engine.alloc();
      pool.reap(aside.id, { force: true });
      aside.engine.alloc(); // it lives: not reaped by the close
      expect(texts(await report())).toContainEqual(
        expect.stringMatching(/^port 1 "\w+", which is set aside, holds 2 pages/),
      );
      new PortReaper({ ...aside, id: 0 }).reapClaim(aside.id, aside.claim);
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    });

    it('names pages that nobody has, as a death may leave them', async () => {
      const other = beside();
      const page = pageOf(other, other.engine.alloc());
      memory.u16[((other.geometry.ledgersOffset + other.id * other.geometry.ledgerBytes) >>> 1) + page] = 0;
      leave(other);
      const { holders } = await report();
      expect(holders).toMatchObject([{ kind: 'nobody', portId: null, firstPages: [page] }]);
      memory.u16[((other.geometry.ledgersOffset + other.id * other.geometry.ledgerBytes) >>> 1) + page] = 1;
      other.engine.releaseHeld(page, 1);
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    });
  });

  describe('a closing pool', () => {
    it('is not destroyed before every port has parked, although every page is home', async () => {
      const other = beside();
      other.engine.release(other.engine.alloc());
      other.engine.trim();
      expect(pool.inflight).toBe(0);
      pool.destroy();
      await turns();
      expect(state()).toBe(STATE_CLOSING);
      other.engine.park();
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    });

    it('parks a thread whose alloc is refused', async () => {
      const other = await attach();
      const parked = () => word(portOffset(port.geometry, other.portId) + PORT_PARKED_OFFSET);
      const port = beside();
      leave(port);
      const handles = Array.from({ length: 2 }, () => other.alloc());
      expect(parked()).toBe(0);
      pool.destroy();
      for (const handle of handles) other.release(handle);
      expect(parked()).toBe(0);
      expect(codeOf(() => other.alloc())).toBe('POOL_ERR_CLOSING');
      expect(parked()).toBe(1);
    });

    it('parks a thread that hears of the end before it was asked for its pages', async () => {
      const other = beside();
      other.engine.release(other.engine.alloc());
      // The state comes first, then every port's limit: a thread that looks in between is not called again.
      Atomics.store(memory.i32, (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2, STATE_CLOSING);
      expect(word(portOffset(other.geometry, other.id) + PORT_LIMIT_OFFSET)).toBe(other.geometry.magazineCapacity);
      other.engine.poll();
      expect(word(portOffset(other.geometry, other.id) + PORT_PARKED_OFFSET)).toBe(1);
      expect(cachedPages(memory, other.geometry, other.id)).toBe(0);
    });

    // The core has the same lines, and nothing here can stop it in between.
    if (kind === 'typescript')
      it('keeps a thread from caching that answers an earlier request meanwhile', () => {
        const other = beside();
        const [first, second] = [other.engine.alloc(), other.engine.alloc()];
        const limit = (portOffset(other.geometry, other.id) + PORT_LIMIT_OFFSET) >>> 2;
        Atomics.store(memory.i32, limit, 0); // another port found no page
        const store = Atomics.store;
        const spy = vi.spyOn(Atomics, 'store').mockImplementation(((
          array: Int32Array,
          index: number,
          value: number,
        ) => {
          if (index === limit && value !== 0) {
            spy.mockRestore();
            pool.destroy();
          }
          return store(array, index, value);
        }) as never);
        other.engine.release(first);
        expect(word(4 * limit)).toBe(0);
        const before = cachedPages(memory, other.geometry, other.id);
        other.engine.release(second);
        expect(cachedPages(memory, other.geometry, other.id)).toBe(before);
      });

    it('ends with a late release, which goes to the provider and never into a cache', async () => {
      const other = beside();
      const handle = other.engine.alloc();
      const closed = pool.close();
      other.engine.park();
      await turns();
      expect(other.engine.release(handle)).toBe(0);
      expect(await closed).toMatchObject({ isDestroyed: true });
    });

    it('takes no new thread, and the one that came too late leaves no port behind', async () => {
      const page = pool.alloc();
      const share = pool.share();
      const port = beside();
      leave(port);
      pool.destroy();
      const realm = await loadAnotherRealm();
      expect(codeOf(() => realm.PagePool.attach(share as never))).toBe('POOL_ERR_CLOSING');
      pool.release(page);
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
      expect(codeOf(() => realm.PagePool.attach(share as never))).toBe('POOL_ERR_DESTROYED');
    });

    it('refuses a thread that claimed its port just before, and frees the port', async () => {
      const realm = await loadAnotherRealm();
      const share = pool.share();
      const port = beside();
      leave(port);
      // The state is read before the claim, when the engine is made, and once more behind it: closed in between.
      let reads = 0;
      const load = Atomics.load;
      const stateWord = (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2;
      vi.spyOn(Atomics, 'load').mockImplementation(((array: Int32Array, index: number) => {
        if (array.buffer === memory.i32.buffer && index === stateWord && ++reads === 2) pool.destroy();
        return load(array, index);
      }) as never);
      expect(codeOf(() => realm.PagePool.attach(share as never))).toBe('POOL_ERR_CLOSING');
      expect(reads).toBeGreaterThan(1);
      vi.restoreAllMocks();
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    });

    it('settles what a death left, and ends', async () => {
      const other = beside();
      const handle = other.engine.alloc();
      other.engine.retain(handle, 1);
      const page = pageOf(other, handle);
      // Died between its row and the count: nobody can tell whether it had released.
      const row = ((other.geometry.ledgersOffset + other.id * other.geometry.ledgerBytes) >>> 1) + page;
      memory.u16[row] = 1;
      memory.u32[(portOffset(other.geometry, other.id) + 192) >>> 2] = page;
      new PortReaper({ ...other, id: 0 }).reapClaim(other.id, other.claim);
      expect(pool.stats().suspect).toBe(1);
      expect(pool.inflight).toBe(1 + pool.stats().pages.cached + pool.stats().pages.ring);
      expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
    });

    it('reaps a port that was set aside, when it is quiet', async () => {
      const other = beside();
      other.engine.alloc();
      pool.reap(other.id, { force: true });
      expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
    });
  });

  describe('when nothing comes home', () => {
    const SECOND = 1000;

    it('warns after 60 s, naming who holds what, and then once a minute', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const other = await attach('reader');
      const handle = other.alloc();
      vi.useFakeTimers();
      pool.destroy();
      other.poll(); // at once, not when the event loop comes to it: that it parks is progress
      await vi.advanceTimersByTimeAsync(59 * SECOND);
      expect(warn).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(4 * SECOND); // counted from the last page that came home
      expect(warn.mock.calls.map(([text]) => text.replace(/\(\d+\)$/, '(n)'))).toEqual([
        `pagepool "p": closing has not moved for 60 s: inflight=1 (expected 0); port ${other.portId} "reader" holds 1 page (n)`,
      ]);
      await vi.advanceTimersByTimeAsync(56 * SECOND);
      expect(warn).toHaveBeenCalledTimes(1);
      await vi.advanceTimersByTimeAsync(5 * SECOND);
      expect(warn).toHaveBeenCalledTimes(2);
      other.release(handle);
      await vi.advanceTimersByTimeAsync(2 * SECOND);
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_DESTROYED');
      await vi.advanceTimersByTimeAsync(600 * SECOND);
      expect(warn).toHaveBeenCalledTimes(2);
      expect(vi.getTimerCount()).toBe(0);
    });

    it('leaves no timer where its thread leaves', async () => {
      vi.spyOn(console, 'warn').mockImplementation(() => {});
      const other = await attach();
      const handle = other.alloc();
      vi.useFakeTimers();
      pool.destroy();
      expect(vi.getTimerCount()).toBe(1);
      pool.detach();
      expect(vi.getTimerCount()).toBe(0);
      other.release(handle);
    });

    it('does not warn while pages come home', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const other = await attach();
      const handles = Array.from({ length: 5 }, () => other.alloc());
      vi.useFakeTimers();
      pool.destroy();
      other.poll(); // at once, not when the event loop comes to it: as long as it has not parked the pool is not closed
      for (const handle of handles) {
        await vi.advanceTimersByTimeAsync(50 * SECOND);
        other.release(handle);
      }
      await vi.advanceTimersByTimeAsync(2 * SECOND);
      expect(warn).not.toHaveBeenCalled();
      expect(codeOf(() => pool.alloc())).toBe('POOL_ERR_DESTROYED');
    });
  });

  describe('when the thread that closes is gone', () => {
    it('another attached thread goes on, and the pool is destroyed', async () => {
      const other = await attach();
      const third = await attach();
      const page = other.alloc();
      vi.useFakeTimers();
      pool.destroy();
      const port = { ...portOfCreator(), id: third.portId };
      await turns();
      // The creator's thread ends here: its timers with it. Somebody reaps its port.
      pool.poll = () => {};
      new PortReaper(port).reapClaim(0, portOfCreator().claim);
      const closer = () => (word(CONTROL_BASE + HEADER_CLOSER_OFFSET) & 0x3ff) - 1;
      await until(() => [other.portId, third.portId].includes(closer()));
      expect(state()).toBe(STATE_CLOSING);
      other.release(page);
      vi.advanceTimersByTime(1100);
      await until(() => state() === STATE_DESTROYED);
      for (const each of [other, third]) expect(codeOf(() => each.alloc())).toBe('POOL_ERR_DESTROYED');
    });

    it('another goes on as well when the closer only detaches', async () => {
      const other = await attach();
      const page = other.alloc();
      const port = beside();
      leave(port);
      vi.useFakeTimers();
      const closed = pool.close();
      await turns();
      pool.detach();
      expect(await closed).toMatchObject({ isDestroyed: false });
      other.release(page);
      vi.advanceTimersByTime(1100);
      await until(() => state() === STATE_DESTROYED);
    });

    it('nobody takes over from a closer that lives', async () => {
      const other = await attach();
      const page = other.alloc();
      const port = beside();
      leave(port);
      pool.destroy();
      const closer = word(CONTROL_BASE + HEADER_CLOSER_OFFSET);
      for (let i = 0; i < 5; i++) other.poll();
      expect(word(CONTROL_BASE + HEADER_CLOSER_OFFSET)).toBe(closer);
      expect((closer & 0x3ff) - 1).toBe(pool.portId);
      other.release(page);
    });

    /** The creator's port, as it stands in the memory. */
    function portOfCreator(): Port {
      const port = beside();
      leave(port);
      return { ...port, id: 0, claim: word(portOffset(port.geometry, 0)) >>> 0 };
    }
  });

  describe('after the end', () => {
    it('reports still work on an object that is kept, and share() says that there is no pool', async () => {
      const page = pool.alloc();
      pool.release(page);
      await pool.close();
      expect(pool.inflight).toBe(0);
      expect(pool.stats()).toMatchObject({ inflight: 0, pages: { provider: 40 } });
      expect(pool.audit()).toMatchObject({ balanced: true, errors: [] });
      expect(codeOf(() => pool.share())).toBe('POOL_ERR_DESTROYED');
      const words = new Uint32Array(4);
      for (const call of [
        () => pool.allocBulk(words, 4),
        () => pool.allocBurst(words, 4),
        () => pool.releaseBulk(words, 1),
      ]) {
        expect(codeOf(call)).toBe('POOL_ERR_DESTROYED');
      }
      expect(codeOf(() => pool.unpin(1))).toBe('POOL_ERR_TOKEN_SPENT');
    });
  });
});
