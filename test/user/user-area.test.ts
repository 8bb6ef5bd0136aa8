// userArea: memory that somebody else made as pages, for trusted threads as any other; shared by pools; grown by its
// owner.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool, type PoolOptions } from 'pagepool';
import { type UserAreaOptions, UserQueue, userArea } from 'pagepool/user-area';
import { describe, expect, test } from 'vitest';
import { entryOf } from '../support/threads.js';
import { HUNG_MS } from '../support/waiting.js';

const PAGE = 1024;
const refusal = (code: string, text = '') => expect.objectContaining({ code, message: expect.stringContaining(text) });

/** Every page that can be had now. */
function takeAll(pool: PagePool): number[] {
  const handles: number[] = [];
  for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) handles.push(handle);
  return handles;
}

async function close(pool: PagePool): Promise<void> {
  expect(await pool.close({ timeoutMs: HUNG_MS, ref: true })).toMatchObject({ isDestroyed: true });
}

describe('userArea()', () => {
  test.each([
    ['no memory', undefined, {}],
    ['memory that is not shared', new WebAssembly.Memory({ initial: 1 }), {}],
    ['a typed array', new Uint8Array(8), {}],
    ['an offset that is not aligned', new SharedArrayBuffer(PAGE), { byteOffset: 8 }],
    ['an offset outside', new SharedArrayBuffer(PAGE), { byteOffset: 2 * PAGE }],
    ['an area over the end', new SharedArrayBuffer(PAGE), { byteOffset: 16, byteLength: PAGE }],
    ['no bytes', new SharedArrayBuffer(PAGE), { byteLength: 0 }],
    ['another option', new SharedArrayBuffer(PAGE), { length: PAGE } as UserAreaOptions],
  ])('refuses %s', (_, memory, options) => {
    expect(() => userArea(memory as SharedArrayBuffer, options)).toThrow(refusal('POOL_ERR_INVALID_ARGUMENT'));
  });

  test.each([
    ['more pages than it has', PAGE * 4, { pageCount: 5 }, 'pageCount=5 (expected at most 4'],
    ['a length that cuts a page short', PAGE * 4 + 512, { pageCount: 4 }, 'byteLength=4608'],
    ['a page that is larger', PAGE, { pageBytes: 2 * PAGE, pageCount: 1 }, 'byteLength=1024'],
  ])('refuses a pool with %s', (_, bytes, options, text) => {
    const provider = userArea(new SharedArrayBuffer(bytes));
    const create = () => PagePool.createSync({ pageBytes: PAGE, provider, ...options });
    expect(create).toThrow(refusal('POOL_ERR_PROVIDER', text));
  });

  test('refuses a second pool with other pages, and takes one with the same', async () => {
    const provider = userArea(new SharedArrayBuffer(8 * PAGE));
    const pool = PagePool.createSync({ pageBytes: PAGE, pageCount: 8, provider });
    expect(() => PagePool.createSync({ pageBytes: 512, pageCount: 8, provider })).toThrow(
      refusal('POOL_ERR_PROVIDER', 'pageBytes=512'),
    );
    const second = PagePool.createSync({ pageBytes: PAGE, pageCount: 4, provider });
    await close(second);
    await close(pool);
    expect(provider.describe()).toMatchObject({ freePages: 8, pools: 0 });
  });
});

describe.each(['wasm', 'typescript'] as const)('engine %s', (engine) => {
  const options: PoolOptions = { engine, pageBytes: PAGE, pageCount: 8, maxPorts: 3 };

  test('pages lie in the area, each once, all of them, and nothing around it is touched', async () => {
    const buffer = new SharedArrayBuffer(10 * PAGE);
    const bytes = new Uint8Array(buffer).fill(1);
    const provider = userArea(buffer, { byteOffset: PAGE, byteLength: 8 * PAGE });
    const pool = PagePool.createSync({ ...options, provider });
    const handles = takeAll(pool);
    expect(handles).toHaveLength(8);
    expect(handles.map((handle) => pool.offset(handle)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 8 }, (_, i) => i * PAGE),
    );
    for (const handle of handles) {
      expect(pool.area(handle).buffer).toBe(buffer);
      expect(pool.area(handle).byteOffset).toBe(PAGE);
      expect(pool.bytes(handle)[0]).toBe(1); // the memory is somebody else's, and not cleared
      pool.bytes(handle).fill(2);
      pool.release(handle);
    }
    expect(bytes.filter((byte) => byte === 1)).toHaveLength(2 * PAGE);
    expect(bytes[0]).toBe(1);
    expect(bytes.at(-1)).toBe(1);
    await close(pool);
  });

  test('no page is pinned, since each has to come back', async () => {
    const pool = PagePool.createSync({ ...options, provider: userArea(new SharedArrayBuffer(8 * PAGE)) });
    const page = pool.alloc();
    expect(() => pool.pin(page)).toThrow(refusal('POOL_ERR_NOT_DETACHABLE'));
    pool.release(page);
    await close(pool);
  });

  test("another module's memory may grow while its heap is an area", async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true });
    const provider = userArea(memory, { byteOffset: 1024, byteLength: 8 * PAGE });
    memory.grow(1); // between the two: the pool takes the buffer as it is when it starts
    const pool = PagePool.createSync({ ...options, provider });
    const page = pool.alloc();
    pool.bytes(page).fill(7);
    memory.grow(2);
    const other = pool.alloc();
    pool.bytes(other).fill(8);
    const queue = new UserQueue(pool);
    const now = new Uint8Array(memory.buffer);
    expect(now[1024 + pool.offset(page)]).toBe(7);
    expect(now[1024 + pool.offset(other)]).toBe(8);
    expect(queue.share()).toMatchObject({ byteOffset: 1024, byteLength: 8 * PAGE });
    pool.release(page);
    pool.release(other);
    await close(pool);
  });

  test('threads of the pool see the same bytes, with handles as of any other provider', async () => {
    const buffer = new SharedArrayBuffer(8 * PAGE);
    const pool = PagePool.createSync({ ...options, provider: userArea(buffer), channels: { work: {}, done: {} } });
    const program = `
      import { workerData } from 'node:worker_threads';
      const { PagePool } = await import(workerData.entry);
      const pool = PagePool.attach(workerData.share);
      while (pool.channel('work').waitSync()) {
        const fragment = pool.channel('work').receive();
        for (let i = 0; i < fragment.length; i++) fragment.bytes[i] += 1;
        pool.channel('done').sendFragment(fragment);
      }
      pool.detach();`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), {
      workerData: { entry: entryOf(0), share: { ...pool.share(), engine } },
    });
    const work = pool.channel('work');
    for (let i = 0; i < 100; i++) {
      const fragment = await pool.takeAsync(100, { timeoutMs: HUNG_MS, ref: true });
      fragment.bytes.fill(i);
      work.sendFragment(fragment);
      const back = await pool.channel('done').next({ timeoutMs: HUNG_MS, ref: true });
      expect(back?.bytes.every((byte) => byte === i + 1)).toBe(true);
      back?.release();
    }
    work.close();
    await once(worker, 'exit');
    expect(pool.audit()).toMatchObject({ balanced: true, exact: true });
    await close(pool);
  });

  test('a pool that takes the place of another gets pages as that one lets them go', async () => {
    const provider = userArea(new SharedArrayBuffer(8 * PAGE));
    const old = PagePool.createSync({ ...options, provider });
    const out = takeAll(old);
    for (const handle of out) old.bytes(handle).fill(1);
    const pool = PagePool.createSync({ ...options, provider });
    expect(takeAll(pool)).toEqual([]);
    // A queue's references keep the old pool's pages out as any do, also while it closes.
    const queue = new UserQueue(old);
    for (const handle of out.slice(4)) queue.give(handle, 0, PAGE);
    const closing = old.close({ timeoutMs: HUNG_MS, ref: true });
    for (const handle of out.slice(0, 4)) old.release(handle);
    const first = await pool.takeAsync(undefined, { timeoutMs: HUNG_MS, ref: true });
    const came = [first.handle, ...takeAll(pool)];
    expect(came.length).toBeLessThanOrEqual(4);
    for (const handle of came) pool.bytes(handle).fill(2);
    for (const handle of out.slice(4)) expect(old.bytes(handle).every((byte) => byte === 1)).toBe(true);
    queue.scrub();
    expect(await closing).toMatchObject({ isDestroyed: true });
    while (came.length < 8) came.push((await pool.takeAsync(undefined, { timeoutMs: HUNG_MS, ref: true })).handle);
    expect(new Set(came.map((handle) => pool.offset(handle))).size).toBe(8);
    pool.releaseBulk(Uint32Array.from(came));
    await close(pool);
    expect(provider.describe()).toMatchObject({ freePages: 8, pools: 0 });
  });

  test('two pools share the area, and no page is in both', async () => {
    const provider = userArea(new SharedArrayBuffer(8 * PAGE));
    const [one, other] = [8, 6].map((pageCount) => PagePool.createSync({ ...options, pageCount, provider })) as [
      PagePool,
      PagePool,
    ];
    const low = Array.from({ length: 6 }, () => one.alloc());
    // The second has no numbers for the last two pages.
    expect(low.every((handle) => one.offset(handle) < 6 * PAGE)).toBe(true);
    expect(other.alloc()).toBe(0);
    const rest = takeAll(one);
    expect(rest).toHaveLength(2);
    one.releaseBulk(Uint32Array.from(rest));
    one.releaseBulk(Uint32Array.from(low));
    let taken: [PagePool, number][] = [];
    for (let round = 0; round < 200; round++) {
      const pool = round % 3 === 0 ? other : one;
      const handle = pool.alloc();
      if (handle !== 0) taken.push([pool, handle]);
      const places = taken.map(([each, held]) => each.offset(held));
      expect(new Set(places).size).toBe(places.length);
      expect(taken.every(([each, held]) => each !== other || each.offset(held) < 6 * PAGE)).toBe(true);
      if (round % 7 !== 0) continue;
      for (const [each, held] of taken) each.release(held);
      taken = [];
      pool.trim();
    }
    for (const [each, held] of taken) each.release(held);
    await close(one);
    await close(other);
    expect(provider.describe()).toMatchObject({ freePages: 8 });
  });

  test('the pages of a pool that its thread left behind are nobody else’s', async () => {
    const provider = userArea(new SharedArrayBuffer(8 * PAGE));
    const pool = PagePool.createSync({ ...options, provider });
    const page = pool.alloc();
    pool.release(page);
    pool.detach();
    const next = PagePool.createSync({ ...options, provider });
    const left = takeAll(next);
    expect(left.length).toBeLessThan(8);
    next.releaseBulk(Uint32Array.from(left));
    await close(next);
  });
});

test('the rings of a queue take the bytes that they need, and no Wasm memory, which takes gigabytes of addresses', async () => {
  const pool = PagePool.createSync({
    pageBytes: PAGE,
    pageCount: 2,
    provider: userArea(new SharedArrayBuffer(2 * PAGE)),
  });
  const bytesOf = (completions: number): number => {
    const queue = new UserQueue(pool, { completions, refills: 2 });
    const { byteLength } = queue.share().rings;
    queue.close();
    return byteLength;
  };
  const [two, four, eight] = [bytesOf(2), bytesOf(4), bytesOf(8)] as [number, number, number];
  expect(four - two).toBeGreaterThan(0);
  expect(eight - four).toBe(2 * (four - two));
  pool.detach({ release: true });
});
