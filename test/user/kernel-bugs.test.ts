// The kernel's bugs of zero-copy receive and its memory, each as a test that would have found it.

import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { Receiver } from 'pagepool/user';
import { UserQueue, userArea } from 'pagepool/user-area';
import { describe, expect, test } from 'vitest';
import { USER_REFILL_TAIL_OFFSET, USER_RINGS_OFFSET, USER_START_POS } from '../../src/user/layout.js';
import { HUNG_MS } from '../support/waiting.js';

const PAGE = 1024;
const PAGES = 16;

function makePool(engine: 'wasm' | 'typescript', provider = userArea(new SharedArrayBuffer(PAGES * PAGE))) {
  return PagePool.createSync({ engine, pageBytes: PAGE, pageCount: PAGES, maxPorts: 2, provider });
}

async function mustEnd(pool: PagePool): Promise<void> {
  pool.trim();
  const { exact, balanced, errors, pages } = pool.audit();
  expect({ exact, balanced, errors, used: pages.used }).toEqual({ exact: true, balanced: true, errors: [], used: 0 });
  expect(await pool.close({ timeoutMs: HUNG_MS, ref: true })).toMatchObject({ isDestroyed: true });
}

describe.each(['wasm', 'typescript'] as const)('engine %s', (engine) => {
  // 003049b1c4fb: a test for 0 and a decrement of a user reference, against a scrub that exchanges it for 0.
  test('a page given back again and again while the scrub runs comes home once', async () => {
    const pool = makePool(engine);
    const program = `
      import { workerData } from 'node:worker_threads';
      const { rings, stop, first, tail, start } = workerData;
      const u32 = new Uint32Array(rings);
      const i32 = new Int32Array(rings);
      for (let position = start; Atomics.load(stop, 0) === 0; position++) {
        u32[first + 2 * (position & 15)] = ${PAGE} * (position % ${PAGES});
        u32[first + 2 * (position & 15) + 1] = 1;
        Atomics.store(i32, tail, (position + 1) | 0);
      }`;
    const stop = new Int32Array(new SharedArrayBuffer(4));
    for (let round = 0; round < 10; round++) {
      const queue = new UserQueue(pool, { completions: 16, refills: 16 });
      const { rings } = queue.share();
      const first = (USER_RINGS_OFFSET >>> 2) + 16 * 4;
      const tail = USER_REFILL_TAIL_OFFSET >>> 2;
      Atomics.store(stop, 0, 0);
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), {
        workerData: { rings, stop, first, tail, start: USER_START_POS },
      });
      const exit = new Promise((resolve) => worker.once('exit', resolve));
      await new Promise((resolve) => worker.once('online', resolve));
      let given = 0;
      for (let i = 0; i < 500; i++) {
        const page = pool.alloc();
        // The consumer says that it takes everything.
        Atomics.store(new Int32Array(rings), 64, (USER_START_POS + given) | 0);
        if (page !== 0 && queue.give(page, 0, PAGE)) given++;
        else if (page !== 0) pool.release(page);
        queue.refill();
      }
      const scrubbed = queue.scrub();
      queue.refill();
      const { returned, lost } = queue.stats();
      expect({ lost, all: returned + scrubbed }).toEqual({ lost: 0, all: given });
      expect(given).toBeGreaterThan(0);
      expect(pool.audit()).toMatchObject({ balanced: true, exact: true, pages: { used: 0 } });
      Atomics.store(stop, 0, 1);
      await exit;
    }
    await mustEnd(pool);
  });

  // "fix pp destruction warnings": all buffers were expected home when one of several pools was destroyed.
  test('a pool ends while another one of its provider has pages out', async () => {
    const provider = userArea(new SharedArrayBuffer(PAGES * PAGE));
    const [one, other] = [makePool(engine, provider), makePool(engine, provider)];
    const queue = new UserQueue(other);
    queue.giveCopy(new Uint8Array(3 * PAGE));
    const handle = one.alloc();
    one.release(handle);
    await mustEnd(one);
    expect(queue.outstanding).toBe(3);
    queue.scrub();
    await mustEnd(other);
    expect(provider.describe()).toMatchObject({ freePages: PAGES, pools: 0 });
  });

  // "fix area release on registration failure", "fix leaks on failed registration": unwinding before everything was
  // set.
  test('a pool that is refused leaves the area as it was', async () => {
    const provider = userArea(new SharedArrayBuffer(PAGES * PAGE));
    const before = provider.describe();
    const make = (pageCount: number) => PagePool.createSync({ engine, pageBytes: PAGE, pageCount, provider });
    expect(() => make(PAGES + 1)).toThrow('pageCount=17');
    expect(provider.describe()).toEqual(before);
    // The provider comes second, and what it had taken is given back: the first is refused after it.
    const reserve = { provider, pageCount: PAGES + 1 };
    expect(() => PagePool.createSync({ engine, pageBytes: PAGE, pageCount: 4, reserve })).toThrow('pageCount=17');
    expect(provider.describe()).toEqual(before);
    const pool = make(PAGES);
    const handles = Array.from({ length: PAGES }, () => pool.alloc());
    expect(handles).not.toContain(0);
    pool.releaseBulk(Uint32Array.from(handles));
    await mustEnd(pool);
  });

  // "fix overshooting recv limit": more was received than was asked for. "increment fallback loop src offset": every
  // page of a copy had the first page's bytes.
  test.each([1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE + 7])(
    'a copy of %i bytes gives as many, and these',
    async (length) => {
      const pool = makePool(engine);
      const queue = new UserQueue(pool);
      const receiver = new Receiver(queue.share());
      const bytes = Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 24) & 255);
      expect(queue.giveCopy(bytes)).toBe(length);
      const came: number[] = [];
      for (let delivery = receiver.receive(); delivery !== null; delivery = receiver.receive()) {
        came.push(...delivery.bytes);
        delivery.release();
      }
      expect(came).toEqual([...bytes]);
      queue.refill();
      await mustEnd(pool);
    },
  );

  // "init id for xa_find": a search that started behind the first entry left it out.
  test('the scrub finds the first unit of the first page, and the last of the last', async () => {
    const pool = makePool(engine);
    const queue = new UserQueue(pool);
    const handles = Array.from({ length: PAGES }, () => pool.alloc());
    for (const handle of handles) {
      const at = pool.offset(handle);
      if (at === 0) queue.give(handle, 0, 1);
      else if (at === (PAGES - 1) * PAGE) queue.give(handle, PAGE - 1, 1);
      else pool.release(handle);
    }
    expect(queue.scrub()).toBe(2);
    await mustEnd(pool);
  });

  // "check all niovs filled with dma addresses": an area was taken although not all of it was there.
  test('an area that is no whole number of pages is refused, and a whole one is used to its end', async () => {
    const buffer = new SharedArrayBuffer(PAGES * PAGE + 16);
    expect(() => makePool(engine, userArea(buffer))).toThrow('a multiple of pageBytes=1024');
    const pool = makePool(engine, userArea(buffer, { byteOffset: 16 }));
    const handles = Array.from({ length: PAGES }, () => pool.alloc());
    expect(Math.max(...handles.map((handle) => pool.offset(handle)))).toBe((PAGES - 1) * PAGE);
    pool.releaseBulk(Uint32Array.from(handles));
    await mustEnd(pool);
  });

  // A full refill ring left the consumer with its buffers; FLUSH_RQ came for that.
  test('a consumer whose refill ring is full gives everything back in time', async () => {
    const pool = makePool(engine);
    const queue = new UserQueue(pool, { completions: 16, refills: 2 });
    const receiver = new Receiver(queue.share());
    expect(queue.giveCopy(new Uint8Array(PAGES * PAGE))).toBe(PAGES * PAGE);
    for (let delivery = receiver.receive(); delivery !== null; delivery = receiver.receive()) delivery.release();
    expect(pool.alloc()).toBe(0);
    let came = 0;
    while (came < PAGES) {
      came += queue.refill();
      receiver.flush();
    }
    expect(queue.outstanding).toBe(0);
    await mustEnd(pool);
  });
});
