// Every wait ends, and asks what its call asks: after a detach, with hostile signals and times, on a full channel of
// any size; and a thread whose waits succeed at once lets its event loop run.

import { getEventListeners } from 'node:events';
import { type Channel, type Fragment, PagePool, type WaitOptions } from 'pagepool';
import { nextPacket, Packet, waitPacketRoom } from 'pagepool/packet';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { layoutHash } from '#layout-hash';
import { openShare } from '../../src/pool/share.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { HUNG_MS, orHung, turns } from '../support/waiting.js';

const codeOfEnd = (promise: Promise<unknown>): Promise<unknown> =>
  orHung(
    promise.then(
      (value) => value,
      (error) => error.code ?? error,
    ),
    'a wait',
  );

/** A channel with room for one entry, which has one. */
function fullPool(engine: 'wasm' | 'typescript', options: object = {}): PagePool {
  const pool = PagePool.createSync({
    engine,
    pageCount: 8,
    channels: { a: { capacity: 1, batch: 1, ...options }, b: { capacity: 2, batch: 2 } },
  });
  pool.channel('a').sendFragment(pool.take(10) as Fragment);
  return pool;
}

/** One wait of each kind, none of which can succeed. */
function everyWait(pool: PagePool, options?: WaitOptions): Promise<unknown>[] {
  const [a, b] = [pool.channel('a'), pool.channel('b')];
  const packet = new Packet().append(pool.take(10) as Fragment);
  const waits = [a.waitRoom(options), waitPacketRoom(a, packet, options), b.next(options), nextPacket(b, options)];
  return [...waits, pool.takeAsync(pool.pageBytes, options)].map((wait) => codeOfEnd(wait));
}

/** Takes every page, as fragments. */
function takeAll(pool: PagePool): Fragment[] {
  const taken: Fragment[] = [];
  for (let page = pool.take(); page !== null; page = pool.take()) taken.push(page);
  return taken;
}

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it('ends every wait when the thread detaches, and those that begin afterwards', async () => {
    const pool = fullPool(engine);
    const [a, b] = [pool.channel('a'), pool.channel('b')];
    const packet = new Packet().append(pool.take(10) as Fragment);
    const held = takeAll(pool).slice(1);
    const waits = everyWaitOf(pool, a, b, packet);
    await turns(2);
    pool.detach({ release: true });
    expect(await Promise.all(waits)).toEqual(Array(5).fill('POOL_ERR_DESTROYED'));
    expect(await Promise.all(everyWaitOf(pool, a, b, packet))).toEqual(Array(5).fill('POOL_ERR_DESTROYED'));
    expect(codeOf(() => a.waitSync())).toBe('POOL_ERR_DESTROYED');
    expect(held.length).toBeGreaterThan(0);
  });

  function everyWaitOf(pool: PagePool, a: Channel, b: Channel, packet: Packet): Promise<unknown>[] {
    const waits = [a.waitRoom(), waitPacketRoom(a, packet), b.next(), nextPacket(b), pool.takeAsync()];
    return waits.map((wait) => codeOfEnd(wait));
  }

  it('ends every wait when the pool is destroyed under it', async () => {
    const pool = fullPool(engine);
    const held = takeAll(pool);
    const [a, b] = [pool.channel('a'), pool.channel('b')];
    const waits = [a.waitRoom(), b.next(), nextPacket(b), pool.takeAsync()].map((wait) => codeOfEnd(wait));
    await turns(2);
    pool.destroy();
    expect(await Promise.all(waits)).toEqual(['POOL_ERR_CHANNEL_CLOSED', null, null, 'POOL_ERR_CLOSING']);
    for (const fragment of held) fragment.release();
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
    const after = [a.waitRoom(), b.next(), nextPacket(b), pool.takeAsync()].map((wait) => codeOfEnd(wait));
    expect(await Promise.all(after)).toEqual(['POOL_ERR_CHANNEL_CLOSED', null, null, 'POOL_ERR_DESTROYED']);
  });

  it('waits for room exactly as long as send would say that there is none', async () => {
    // Receivers that took a batch have entries of it: they take no room.
    const pool = PagePool.createSync({
      engine,
      pageCount: 16,
      maxPorts: 4,
      channels: { a: { capacity: 4, batch: 4 } },
    });
    const { PagePool: Other } = await loadAnotherRealm();
    const other = Other.attach(pool.share() as never) as unknown as PagePool;
    const burst = (count: number): number => {
      const entries = new Uint32Array(4 * count);
      for (let i = 0; i < count; i++) entries.set([pool.alloc(), 0, 1, i], 4 * i);
      return pool.channel('a').sendBurst(entries, count);
    };
    expect(burst(4)).toBe(4);
    const first = other.channel('a').receive();
    expect(pool.channel('a').pending).toBe(3);
    await orHung(pool.channel('a').waitRoom(), 'waitRoom');
    expect(burst(4)).toBe(4);
    expect(await codeOfEnd(pool.channel('a').waitRoom({ timeoutMs: 5 }))).toBe('POOL_ERR_TIMEOUT');
    first?.release();
    for (const end of [other, pool]) {
      for (let got = end.channel('a').receive(); got !== null; got = end.channel('a').receive()) got.release();
    }
    other.detach();
    pool.destroy();
  });

  it.each(['drop-oldest', 'drop-newest'] as const)('never waits for room where a channel is %s', async (whenFull) => {
    const pool = fullPool(engine, { whenFull });
    await orHung(pool.channel('a').waitRoom(), 'waitRoom');
    const packet = new Packet().append(pool.take(10) as Fragment);
    await orHung(waitPacketRoom(pool.channel('a'), packet), 'waitPacketRoom');
    packet.release();
    pool.destroy();
  });

  it('asks a full channel of any size by the same few words', async () => {
    const looks: number[] = [];
    for (const capacity of [16, 65_535]) {
      const channels = { a: { capacity, batch: 8 } };
      const pool = PagePool.createSync({
        engine: 'typescript',
        pageBytes: 256,
        unitBytes: 256,
        pageCount: 8,
        channels,
      });
      const entries = pool.words(4 * 32);
      const page = pool.alloc();
      const other = pool.alloc();
      pool.retain(page, 40_000);
      pool.retain(other, 40_000);
      for (let sent = 0; sent < capacity; sent += 32) {
        const count = Math.min(32, capacity - sent);
        for (let i = 0; i < count; i++) entries.set([(sent >>> 5) & 1 ? page : other, 0, 1, 0], 4 * i);
        expect(pool.channel('a').sendBurst(entries, count)).toBe(count);
      }
      const load = vi.spyOn(Atomics, 'load');
      expect(await codeOfEnd(pool.channel('a').waitRoom({ timeoutMs: 0 }))).toBe('POOL_ERR_TIMEOUT');
      // Of this pool: others, which are closing, look as well.
      const { buffer } = openShare(pool.share(), layoutHash).memory.u32;
      looks.push(load.mock.calls.filter(([words]) => words.buffer === buffer).length);
      load.mockRestore();
      pool.destroy();
      pool.detach({ release: true });
    }
    // A look at each entry or slot would be tens of thousands.
    expect(Math.max(...looks)).toBeLessThan(200);
    expect(Math.min(...looks)).toBeGreaterThan(0);
  });

  it('lets the event loop run where each wait succeeds at once', async () => {
    const pool = PagePool.createSync({ engine, pageCount: 8 });
    let isOver = false;
    setTimeout(() => {
      isOver = true;
    }, 1);
    // Far more than a thread does in the few milliseconds that it may go on.
    for (let i = 0; i < 10_000_000 && !isOver; i++) (await pool.takeAsync(16)).release();
    expect(isOver).toBe(true);
    pool.destroy();
  });

  it('lets the event loop run where each wait sleeps, and is answered within the turn', async () => {
    const pool = PagePool.createSync({ engine, pageCount: 1, channels: { a: { capacity: 1, batch: 1 } } });
    let page = pool.take() as Fragment;
    await turns(1); // what was there before has marked its turn
    let isOver = false;
    setTimeout(() => {
      isOver = true;
    }, 1);
    for (let i = 0; i < 100_000 && !isOver; i++) {
      const waiting = pool.takeAsync();
      page.release();
      // A thread that goes on behind a wait that blocks looks at its other waits within the same turn.
      expect(pool.channel('a').waitSync(0.001)).toBe(false);
      page = await waiting;
    }
    expect(isOver).toBe(true);
    page.release();
    pool.destroy();
  });

  it('lets the event loop run where each wait fails at once', async () => {
    const pool = PagePool.createSync({ engine, pageCount: 1 });
    const page = pool.take() as Fragment;
    await turns(1); // what was there before has marked its turn
    let isOver = false;
    setTimeout(() => {
      isOver = true;
    }, 1);
    for (let i = 0; i < 100_000 && !isOver; i++) await pool.takeAsync(16, { timeoutMs: 0 }).catch(() => {});
    expect(isOver).toBe(true);
    page.release();
    pool.destroy();
  });

  it('keeps the order of waits, whichever of them had to let the event loop run', async () => {
    const pool = PagePool.createSync({ engine, pageCount: 64, channels: { a: { capacity: 32, batch: 8 } } });
    const channel = pool.channel('a');
    const tags: number[] = [];
    let tag = 0;
    for (let round = 0; round < 500; round++) {
      for (let i = 0; i < 4; i++) channel.sendFragment(pool.take(1) as Fragment, tag++);
      const came = await Promise.all([channel.next(), channel.next(), channel.next(), channel.next()]);
      for (const fragment of came) {
        tags.push((fragment as Fragment).tag);
        fragment?.release();
      }
    }
    expect(tags).toEqual(Array.from({ length: tag }, (_, i) => i));
    pool.destroy();
  });

  it('has one listener on a signal, however many wait, and none afterwards', async () => {
    const pool = fullPool(engine);
    const warned = vi.fn();
    process.on('warning', warned);
    const { signal, abort } = controllerOf();
    const waits = Array.from({ length: 10_000 }, () => pool.channel('a').waitRoom({ signal }));
    const ends = Promise.allSettled(waits);
    await turns(2); // so many may have had to let the event loop run first
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    abort();
    expect((await ends).every((end) => end.status === 'rejected' && end.reason === signal.reason)).toBe(true);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    await turns(2);
    expect(warned).not.toHaveBeenCalled();
    process.off('warning', warned);
    const after = new AbortController();
    const room = pool.channel('a').waitRoom({ signal: after.signal });
    await turns(2);
    pool.channel('a').receive()?.release();
    await orHung(room, 'waitRoom');
    expect(getEventListeners(after.signal, 'abort')).toHaveLength(0);
    after.abort();
    pool.destroy();
  });

  function controllerOf() {
    const controller = new AbortController();
    return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) };
  }

  it('refuses targets that are no signals, and leaves nothing behind where a signal throws', async () => {
    const pool = fullPool(engine);
    const reason = new Error('no listeners here');
    const hostile = Object.assign(new EventTarget(), { aborted: false, addEventListener: () => throwIt(reason) });
    for (const signal of [new EventTarget(), {}, { aborted: false }, 7, null] as never[])
      expect(await codeOfEnd(pool.channel('a').waitRoom({ signal }))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(await codeOfEnd(pool.channel('a').waitRoom({ signal: hostile as never }))).toBe(reason);
    // A thread that is not parked caches what it releases.
    const page = pool.take() as Fragment;
    page.release();
    expect(pool.stats().pages.cached).toBeGreaterThan(0);
    pool.destroy();
  });

  function throwIt(reason: Error): never {
    throw reason;
  }

  it('hears a signal before, during and after', async () => {
    const pool = fullPool(engine);
    const reason = new Error('not any more');
    for (const end of await Promise.all(everyWait(pool, { signal: AbortSignal.abort(reason) }).slice(0, 4)))
      expect(end).toBe(reason);
    const during = new AbortController();
    const waits = everyWait(pool, { signal: during.signal }).slice(0, 4);
    await turns(2);
    during.abort(reason);
    expect(await Promise.all(waits)).toEqual(Array(4).fill(reason));
    pool.destroy();
    pool.detach({ release: true });
  });

  it.each([0, 1, 2 ** 31, 2 ** 53, Infinity])('takes timeoutMs=%d', async (timeoutMs) => {
    const pool = fullPool(engine);
    const { signal, abort } = controllerOf();
    const waits = everyWait(pool, { timeoutMs, signal }).slice(0, 4);
    await turns(3);
    if (timeoutMs > 1) abort();
    const ends = await Promise.all(waits);
    expect(ends).toEqual(Array(4).fill(timeoutMs > 1 ? signal.reason : 'POOL_ERR_TIMEOUT'));
    pool.destroy();
    pool.detach({ release: true });
  });

  it('measures no time by the wall clock', async () => {
    const pool = fullPool(engine);
    let days = 0;
    const [day, { now }] = [86_400_000, Date];
    for (const step of [-1, 1]) {
      vi.spyOn(Date, 'now').mockImplementation(() => now() + step * day * ++days);
      expect(pool.channel('b').waitSync(5)).toBe(false);
      expect(await codeOfEnd(pool.channel('a').waitRoom({ timeoutMs: 5 }))).toBe('POOL_ERR_TIMEOUT');
      vi.restoreAllMocks();
    }
    // Neither ends a wait that has time left.
    vi.spyOn(Date, 'now').mockImplementation(() => now() + day * ++days);
    const wait = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      pool.channel('b').sendFragment(pool.take(1) as Fragment);
      return 'ok';
    });
    expect(pool.channel('b').waitSync(HUNG_MS)).toBe(true);
    wait.mockRestore();
    pool.destroy();
  });
});
