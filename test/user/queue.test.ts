// A user queue over a real pool, both sides in one thread: what is given, what comes back, what is refused, and what
// the end takes.

import { PagePool, PagePoolError } from 'pagepool';
import { Receiver } from 'pagepool/user';
import { UserQueue, type UserQueueOptions, userArea } from 'pagepool/user-area';
import { afterEach, describe, expect, test } from 'vitest';
import { untilCollected } from '../support/garbage.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';

const PAGE = 1024;
const PAGES = 8;
const ENGINES = ['wasm', 'typescript'] as const;
const pools: PagePool[] = [];

function makePool(engine: (typeof ENGINES)[number], options = {}) {
  const pool = PagePool.createSync({
    engine,
    pageBytes: PAGE,
    pageCount: PAGES,
    unitBytes: 64,
    maxPorts: 2,
    provider: userArea(new SharedArrayBuffer(PAGES * PAGE)),
    ...options,
  });
  pools.push(pool);
  return pool;
}

function makeQueue(engine: (typeof ENGINES)[number], options?: UserQueueOptions) {
  const pool = makePool(engine);
  const queue = new UserQueue(pool, options);
  return { pool, queue, receiver: new Receiver(queue.share()) };
}

/** The audit is exact and balanced; how many pages are used. */
function usedPages(pool: PagePool): number {
  pool.trim();
  const { exact, balanced, errors, pages } = pool.audit();
  expect({ exact, balanced, errors }).toEqual({ exact: true, balanced: true, errors: [] });
  return pages.used;
}

/** A queue that gave a page, waited for its consumer, and was scrubbed; nothing here keeps it. */
async function leaveQueue(pool: PagePool): Promise<WeakRef<UserQueue>> {
  const queue = new UserQueue(pool);
  expect(queue.give(pool.alloc(), 0, 1)).toBe(true);
  await turns(3);
  expect(queue.scrub()).toBe(1);
  return new WeakRef(queue);
}

const refusal = (code: string) => expect.objectContaining({ code });

afterEach(async () => {
  for (const pool of pools.splice(0)) {
    pool.detach({ release: true });
  }
});

describe.each(ENGINES)('engine %s', (engine) => {
  test('a page that was given comes back when the consumer has released it', () => {
    const { pool, queue, receiver } = makeQueue(engine);
    const page = pool.alloc();
    pool.bytes(page).fill(9);
    expect(queue.give(page, 100, 50, 0xfffffffe)).toBe(true);
    expect(queue.outstanding).toBe(1);
    expect(usedPages(pool)).toBe(1);
    const delivery = receiver.receive();
    expect(delivery).toMatchObject({ length: 50, tag: 0xfffffffe });
    expect(delivery?.bytes.every((byte) => byte === 9)).toBe(true);
    expect(queue.refill()).toBe(0);
    delivery?.release();
    expect(queue.refill()).toBe(1);
    expect(queue.refill()).toBe(0);
    expect(usedPages(pool)).toBe(0);
    expect(() => pool.release(page)).toThrow(refusal('POOL_ERR_STALE_HANDLE'));
  });

  test('fragments of one page come back one by one, each window as often as it was given', () => {
    const { pool, queue, receiver } = makeQueue(engine);
    const fragments = [64, 200, 300].map((bytes) => pool.allocFragment(bytes));
    const [small = 0, middle = 0, large = 0] = fragments;
    pool.retain(large);
    for (const [handle, offset] of [
      [small, 0],
      [middle, 130],
      [large, 1],
      [large, 270],
    ] as const) {
      expect(queue.give(handle, offset, 10)).toBe(true);
    }
    const deliveries = Array.from({ length: 4 }, () => receiver.receive());
    deliveries[1]?.release();
    expect(queue.refill()).toBe(1);
    expect(() => pool.extent(middle)).toThrow(refusal('POOL_ERR_STALE_HANDLE'));
    expect(pool.refCount(large)).toBe(2);
    deliveries[3]?.release();
    queue.refill();
    expect(pool.refCount(large)).toBe(1);
    deliveries[0]?.release();
    deliveries[2]?.release();
    expect(queue.refill()).toBe(2);
    expect(usedPages(pool)).toBe(0);
    expect(queue.stats()).toMatchObject({ given: 4, returned: 4, lost: 0, dropped: { notHeld: 0 } });
  });

  test('a full completion ring leaves the reference with the caller', () => {
    const { pool, queue, receiver } = makeQueue(engine, { completions: 2, refills: 2 });
    const pages = Array.from({ length: 3 }, () => pool.alloc()) as [number, number, number];
    expect(pages.map((page) => queue.give(page, 0, 1))).toEqual([true, true, false]);
    pool.release(pages[2]);
    receiver.receive()?.release();
    expect(queue.giveCopy(new Uint8Array(3 * PAGE))).toBe(PAGE);
    expect(queue.outstanding).toBe(2);
  });

  test('bursts go from the front until there is no room, or one is refused', () => {
    const { pool, queue, receiver } = makeQueue(engine, { completions: 4, refills: 4 });
    const entries = new Uint32Array(4 * 6);
    for (let i = 0; i < 6; i++) entries.set([pool.alloc(), i, 10 * i, 100 + i], 4 * i);
    expect(queue.giveBurst(entries, 6)).toBe(4);
    const came = new Uint32Array(4 * 8);
    expect(receiver.receiveBurst(came, 8)).toBe(4);
    expect([came[7], came[15]]).toEqual([101, 103]);
    receiver.releaseBurst(came, 4);
    expect(queue.refill()).toBe(4);
    entries[4 * 5 + 2] = PAGE;
    const rest = entries.subarray(16);
    expect(() => queue.giveBurst(rest, 2)).toThrow(
      expect.objectContaining({ index: 1, code: 'POOL_ERR_INVALID_ARGUMENT' }),
    );
    expect(queue.outstanding).toBe(1);
    pool.release(rest[4] as number);
  });

  test('gives only what this thread holds and has not given, and only windows inside it', () => {
    const { pool, queue } = makeQueue(engine);
    const page = pool.alloc();
    const fragment = pool.allocFragment(100);
    for (const [offset, length] of [
      [PAGE, 0],
      [0, PAGE + 1],
      [1, PAGE],
      [-1, 1],
      [0.5, 1],
    ] as const) {
      expect(() => queue.give(page, offset, length)).toThrow(refusal('POOL_ERR_INVALID_ARGUMENT'));
    }
    // The next unit would be somebody else's.
    expect(() => queue.give(fragment, 128, 0)).toThrow(refusal('POOL_ERR_INVALID_ARGUMENT'));
    expect(() => queue.give(page, 0, 1, -1)).toThrow(refusal('POOL_ERR_INVALID_ARGUMENT'));
    expect(() => queue.give(0, 0, 1)).toThrow(refusal('POOL_ERR_INVALID_ARGUMENT'));
    queue.give(page, 0, 1);
    expect(() => queue.give(page, 0, 1)).toThrow(refusal('POOL_ERR_NOT_HELD'));
    expect(() => new UserQueue(pool).give(page, 0, 1)).toThrow(refusal('POOL_ERR_NOT_HELD'));
    pool.retain(page);
    expect(queue.give(page, 0, 1)).toBe(true);
    expect(() => queue.give(2 ** 29, 0, 1)).toThrow(PagePoolError);
    expect(queue.outstanding).toBe(2);
  });

  test('bytes from elsewhere are copied into pages of the area, each page once and in order', () => {
    const { pool, queue, receiver } = makeQueue(engine);
    const bytes = Uint8Array.from({ length: 2 * PAGE + 100 }, (_, i) => (i * 7 + (i >>> 8)) & 255);
    expect(queue.giveCopy(bytes, 3)).toBe(bytes.length);
    const deliveries = Array.from({ length: 3 }, () => receiver.receive());
    expect(deliveries.map((each) => each?.length)).toEqual([PAGE, PAGE, 100]);
    expect(deliveries.flatMap((each) => [...(each?.bytes ?? [])])).toEqual([...bytes]);
    for (const each of deliveries) each?.release();
    expect(queue.refill()).toBe(3);
    expect(usedPages(pool)).toBe(0);
    expect(queue.stats()).toMatchObject({ copied: 3, given: 3 });
  });

  test('copies as many pages as there are, and says how far it came', () => {
    const { pool, queue } = makeQueue(engine);
    const kept = Array.from({ length: PAGES - 2 }, () => pool.alloc());
    expect(queue.giveCopy(new Uint8Array(5 * PAGE))).toBe(2 * PAGE);
    expect(queue.giveCopy(new Uint8Array(1))).toBe(0);
    pool.releaseBulk(Uint32Array.from(kept));
    expect(queue.giveCopy(new Uint8Array(0))).toBe(0);
  });

  test('a fragment of the reserve is copied, and released here', () => {
    const reserve = { provider: userArea(new SharedArrayBuffer(2 * PAGE)), pageCount: 2 };
    const pool = makePool(engine, { reserve });
    const queue = new UserQueue(pool);
    const receiver = new Receiver(queue.share());
    const pages = Array.from({ length: PAGES + 1 }, () => pool.alloc());
    const far = pages.at(-1) as number;
    expect(pool.area(far).buffer).not.toBe(queue.share().area);
    pool.bytes(far).fill(5);
    // No page of the area is free: the caller keeps it.
    expect(queue.give(far, 10, 20)).toBe(false);
    expect(pool.refCount(far)).toBe(1);
    pool.release(pages[0] as number);
    pool.release(pages[1] as number);
    expect(queue.give(far, 10, 20, 8)).toBe(true);
    const delivery = receiver.receive();
    expect(delivery).toMatchObject({ length: 20, tag: 8 });
    expect(delivery?.bytes.every((byte) => byte === 5)).toBe(true);
    expect(() => pool.refCount(far)).toThrow(refusal('POOL_ERR_STALE_HANDLE'));
  });

  test('no call that releases is made inside a callback of a provider, and each is named', () => {
    let queue: UserQueue | undefined;
    const found: string[] = [];
    const provider = userArea(new SharedArrayBuffer(PAGE));
    const ask = (call: () => unknown): void => {
      try {
        call();
      } catch (error) {
        found.push((error as PagePoolError).message.split(' failed')[0] as string);
      }
    };
    const { grow } = provider;
    provider.grow = (...args) => {
      const inside = queue;
      if (inside !== undefined) for (const call of ['refill', 'scrub'] as const) ask(() => inside[call]());
      grow.apply(provider, args);
    };
    const pool = makePool(engine, { reserve: { provider, pageCount: 1 } });
    queue = new UserQueue(pool);
    while (pool.alloc() !== 0);
    expect(found.slice(0, 2)).toEqual(['refill', 'scrub']);
    expect(queue.giveCopy(Uint8Array.of(1))).toBe(0); // and does not throw: it was not scrubbed
  });

  test('the scrub takes back what is out, once, and nothing after it', () => {
    const { pool, queue, receiver } = makeQueue(engine);
    const page = pool.alloc();
    pool.retain(page, 2);
    for (const offset of [0, 0, 500]) queue.give(page, offset, 1);
    queue.giveCopy(new Uint8Array(10));
    const delivery = receiver.receive();
    expect(queue.scrub()).toBe(4);
    expect(queue.scrub()).toBe(0);
    expect(usedPages(pool)).toBe(0);
    const next = pool.alloc();
    delivery?.release();
    expect(queue.refill()).toBe(0);
    expect(queue.stats().dropped.notHeld).toBe(0);
    expect(pool.refCount(next)).toBe(1);
    expect(queue.isClosed).toBe(true);
    expect(receiver.isClosed).toBe(true);
    expect(() => queue.give(next, 0, 1)).toThrow(refusal('POOL_ERR_CHANNEL_CLOSED'));
    expect(() => queue.giveCopy(new Uint8Array(1))).toThrow(refusal('POOL_ERR_CHANNEL_CLOSED'));
    pool.release(next);
  });

  test('a queue that was scrubbed stays so, whatever ends it again', async () => {
    const { pool, queue, receiver } = makeQueue(engine);
    queue.give(pool.alloc(), 0, 1);
    const delivery = receiver.receive();
    queue[Symbol.dispose]();
    expect([queue.outstanding, queue.stats().scrubbed, usedPages(pool)]).toEqual([0, 1, 0]);
    queue.end();
    delivery?.release();
    expect([queue.refill(), queue.stats().dropped.notHeld]).toEqual([0, 0]);
    expect(await queue.close({ timeoutMs: 0 })).toBe(1);
    expect([receiver.isClosed, queue.isClosed]).toEqual([true, true]);
  });

  test('the scrub takes for returned what its consumer gave back before it ended', async () => {
    const pool = makePool(engine);
    const queue = new UserQueue(pool);
    const receiver = new Receiver(queue.share());
    expect(queue.giveCopy(new Uint8Array(3 * PAGE))).toBe(3 * PAGE);
    for (let i = 0; i < 2; i++) receiver.receive()?.release();
    expect(queue.scrub()).toBe(1);
    expect(queue.stats()).toMatchObject({ given: 3, returned: 2, scrubbed: 1, lost: 0, outstanding: 0 });
    expect(usedPages(pool)).toBe(0);
    pool.destroy();
  });

  test('close waits for what is out, and scrubs it when the time is over', async () => {
    const { pool, queue, receiver } = makeQueue(engine);
    queue.give(pool.alloc(), 0, 1);
    queue.give(pool.alloc(), 0, 1);
    const closing = queue.close({ timeoutMs: HUNG_MS, ref: true });
    expect(queue.isClosed).toBe(true);
    expect(() => queue.give(pool.alloc(), 0, 1)).toThrow(refusal('POOL_ERR_CHANNEL_CLOSED'));
    for await (const delivery of receiver) delivery.release();
    expect(await closing).toBe(0);
    const late = new UserQueue(pool);
    late.give(pool.alloc(), 0, 1);
    expect(await late.close({ timeoutMs: 5, ref: true })).toBe(1);
    const aborted = new UserQueue(pool);
    aborted.give(pool.alloc(), 0, 1);
    const signal = AbortSignal.timeout(5);
    await expect(aborted.close({ signal, ref: true })).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(aborted.outstanding).toBe(0);
    expect(usedPages(pool)).toBe(1);
  });

  test('pages come home by themselves while the thread waits for one', async () => {
    const { pool, queue, receiver } = makeQueue(engine, { refills: 2 });
    for (let i = 0; i < PAGES; i++) queue.give(pool.alloc(), 0, 1);
    expect(pool.take()).toBeNull();
    const taking = pool.takeAsync(undefined, { timeoutMs: HUNG_MS, ref: true });
    await turns(3);
    receiver.receive()?.release();
    const fragment = await taking;
    fragment.release();
    expect(queue.outstanding).toBe(PAGES - 1);
    // More than the ring has room for: what is kept goes while the consumer waits.
    for (let delivery = receiver.receive(); delivery !== null; delivery = receiver.receive()) delivery.release();
    const waiting = receiver.next({ ref: true });
    await until(() => queue.outstanding === 0);
    expect(usedPages(pool)).toBe(0);
    queue.end();
    expect(await waiting).toBeNull();
  });

  test('waits for room until the consumer has taken something', async () => {
    const { pool, queue, receiver } = makeQueue(engine, { completions: 2 });
    while (queue.give(pool.alloc(), 0, 1));
    await expect(queue.waitRoom({ timeoutMs: 5, ref: true })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    const room = queue.waitRoom({ timeoutMs: HUNG_MS, ref: true });
    await turns(3);
    receiver.receive();
    await room;
    expect(queue.giveCopy(new Uint8Array(1))).toBe(1);
    const waiting = queue.waitRoom({ timeoutMs: HUNG_MS, ref: true });
    queue.scrub();
    await expect(waiting).rejects.toMatchObject({ code: 'POOL_ERR_CHANNEL_CLOSED' });
  });

  test('waits for a page as well, where that is what a copy lacked', async () => {
    const { pool, queue } = makeQueue(engine, { completions: 8 });
    const held = Array.from({ length: PAGES }, () => pool.alloc());
    expect(queue.giveCopy(new Uint8Array(1))).toBe(0);
    await expect(queue.waitRoom({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    const room = queue.waitRoom({ timeoutMs: HUNG_MS });
    await turns(3);
    for (const page of held) pool.release(page);
    await room;
    expect(queue.giveCopy(new Uint8Array(1))).toBe(1);
    // A page that is there needs no other one.
    await queue.waitRoom({ timeoutMs: 0 });
    queue.scrub();
  });

  test('a wait for room ends when the thread leaves the pool, though the consumer is gone', async () => {
    const { pool, queue } = makeQueue(engine, { completions: 2 });
    while (queue.give(pool.alloc(), 0, 1));
    const waiting = queue.waitRoom({ timeoutMs: HUNG_MS, ref: true });
    await turns(3);
    pool.detach({ release: true });
    await expect(waiting).rejects.toMatchObject({ code: 'POOL_ERR_DESTROYED' });
    await expect(queue.waitRoom()).rejects.toMatchObject({ code: 'POOL_ERR_DESTROYED' });
  });

  test('a queue that was scrubbed is collected, though its consumer is gone', async () => {
    const pool = makePool(engine);
    const left = await Promise.all(Array.from({ length: PAGES }, () => leaveQueue(pool)));
    await untilCollected(() => left.every((queue) => queue.deref() === undefined));
    expect(usedPages(pool)).toBe(0);
  });

  test('a reference that this program released although the consumer had it is counted, and taken from nobody', () => {
    const { pool, queue, receiver } = makeQueue(engine);
    const page = pool.alloc();
    queue.give(page, 0, 1);
    pool.release(page); // a mistake of this side
    const next = pool.alloc();
    receiver.receive()?.release();
    expect(queue.refill()).toBe(0);
    expect(queue.stats().lost).toBe(1);
    expect(pool.refCount(next)).toBe(1);
    pool.release(next);
    expect(usedPages(pool)).toBe(0);
  });

  test('what is out goes back with the thread that gave it, and the queue with it', () => {
    const { pool, queue, receiver } = makeQueue(engine);
    queue.give(pool.alloc(), 0, 1);
    pool.detach({ release: true });
    receiver.receive()?.release();
    expect(queue.refill()).toBe(1);
    expect(queue.scrub()).toBe(0);
    expect(queue.stats().lost).toBe(0);
  });

  test('a thread that attached has queues of its own', () => {
    const { pool, queue } = makeQueue(engine);
    expect(Object.keys(queue.share()).sort()).toEqual(['area', 'byteLength', 'byteOffset', 'kind', 'rings']);
    expect(queue.share().area.byteLength).toBe(PAGES * PAGE);
    expect(structuredClone(queue.share()).byteLength).toBe(PAGES * PAGE);
    expect(pool.pageCount).toBe(PAGES);
  });
});

describe('a queue is refused', () => {
  test('for a pool whose pages lie beside its own words', () => {
    const pool = PagePool.createSync({ pageCount: 4 });
    pools.push(pool);
    expect(() => new UserQueue(pool)).toThrow(refusal('POOL_ERR_INVALID_ARGUMENT'));
    expect(() => new UserQueue({} as PagePool)).toThrow(refusal('POOL_ERR_INVALID_ARGUMENT'));
  });

  test.each([
    { completions: 3 },
    { completions: 1 },
    { refills: 65536 },
    { refills: 2.5 },
    { size: 4 } as UserQueueOptions,
  ])('with %j', (options) => {
    expect(() => new UserQueue(makePool('wasm'), options)).toThrow(refusal('POOL_ERR_INVALID_ARGUMENT'));
  });
});
