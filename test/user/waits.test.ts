// Waits that a consumer queues without end: what the pool's thread does costs it no more for them.

import { PagePool } from 'pagepool';
import { Receiver } from 'pagepool/user';
import { UserQueue, userArea } from 'pagepool/user-area';
import { expect, it, vi } from 'vitest';
import {
  USER_GIVEN_EVENT_OFFSET,
  USER_TAKEN_EVENT_OFFSET,
  USER_WAITS_OFFSET,
  USER_WAKES_MAX,
  USER_WANTS_OFFSET,
} from '../../src/user/layout.js';
import { turns, until } from '../support/waiting.js';

const PAGES = 200;
const make = () => {
  const provider = userArea(new SharedArrayBuffer(PAGES * 4096));
  const pool = PagePool.createSync({ engine: 'typescript', pageCount: PAGES, maxPorts: 1, provider });
  return { pool, queue: new UserQueue(pool, { completions: 256, refills: 256 }) };
};

it('one step of the pool wakes no more than a bound of them', async () => {
  const { pool, queue } = make();
  const words = new Int32Array(queue.share().rings);
  let woken = 0;
  for (const offset of [USER_GIVEN_EVENT_OFFSET, USER_TAKEN_EVENT_OFFSET]) {
    for (let i = 0; i < 3000; i++) {
      const { async, value } = Atomics.waitAsync(words, offset >>> 2, Atomics.load(words, offset >>> 2));
      if (async) void value.then(() => woken++);
    }
  }
  Atomics.store(words, USER_WAITS_OFFSET >>> 2, 3);
  const notify = vi.spyOn(Atomics, 'notify');
  const steps = [
    () => queue.give(pool.alloc(), 0, 1),
    () => queue.giveCopy(new Uint8Array(10)),
    () => queue.refill(),
    () => queue.end(),
    () => queue.scrub(),
  ];
  for (const step of steps) {
    const before = woken;
    step();
    await turns(3);
    expect(woken - before).toBeLessThanOrEqual(USER_WAKES_MAX);
  }
  const onRings = notify.mock.calls.filter(([array]) => array.buffer === words.buffer);
  notify.mockRestore();
  expect(onRings.length).toBeGreaterThan(3);
  for (const [, , count] of onRings) expect(count).toBeLessThanOrEqual(USER_WAKES_MAX);
  expect(woken).toBeGreaterThan(0);
  pool.detach({ release: true });
});

it('a consumer that takes something tells the pool, where the pool waits for room, and only then', async () => {
  const { pool } = make();
  const queue = new UserQueue(pool, { completions: 4, refills: 4 });
  const receiver = new Receiver(queue.share());
  const words = new Int32Array(queue.share().rings);
  const told = (): number => Atomics.load(words, USER_TAKEN_EVENT_OFFSET >>> 2);
  const fill = (): void => {
    while (queue.giveCopy(new Uint8Array(1)));
  };
  const free = (): void => {
    receiver.receive()?.release();
  };
  fill();
  const first = told();
  free();
  expect(told()).toBe(first); // nobody waits yet
  fill();
  const waiting = queue.waitRoom({ ref: true });
  await turns(2);
  expect(Atomics.load(words, USER_WANTS_OFFSET >>> 2)).toBe(1);
  const second = told();
  const delivery = receiver.receive();
  expect(told()).toBeGreaterThan(second); // although nothing is given back yet
  delivery?.release();
  await waiting;
  for (let i = 0; i < 4; i++) free();
  await until(() => Atomics.load(words, USER_WANTS_OFFSET >>> 2) === 0); // nothing is out
  pool.detach({ release: true });
});

it('more honest waits than are woken at once all come to their end', async () => {
  const { pool, queue } = make();
  const receiver = new Receiver(queue.share());
  const waits = Array.from({ length: 3 * USER_WAKES_MAX }, () => receiver.next({ ref: true }));
  await turns(1);
  const entries = new Uint32Array(4 * 100);
  for (let i = 0; i < 100; i++) entries.set([pool.alloc(), 0, 1, i], 4 * i);
  expect(queue.giveBurst(entries, 100)).toBe(100);
  const tags = new Set((await Promise.all(waits.slice(0, 100))).map((delivery) => delivery?.tag));
  expect(tags.size).toBe(100);
  queue.end(); // the others hear of the end
  expect(await Promise.all(waits.slice(100))).toEqual(Array.from({ length: waits.length - 100 }, () => null));
  queue.scrub();
  pool.detach({ release: true });
});

it('the wait of the pool ends with the queue, whatever was queued before it', async () => {
  const { pool, queue } = make();
  const words = new Int32Array(queue.share().rings);
  for (let i = 0; i < 1000; i++) {
    Atomics.waitAsync(words, USER_TAKEN_EVENT_OFFSET >>> 2, Atomics.load(words, USER_TAKEN_EVENT_OFFSET >>> 2));
  }
  queue.give(pool.alloc(), 0, 1);
  const closed = queue.close({ ref: true });
  let isOver = false;
  void closed.then(() => {
    isOver = true;
  });
  await turns(2);
  expect(isOver).toBe(false);
  expect(queue.scrub()).toBe(1);
  await until(() => isOver);
  pool.detach({ release: true });
});

it('a consumer that raises the word without end has the pool check by a timer, and listen no oftener than once a millisecond', async () => {
  const { pool } = make();
  const queue = new UserQueue(pool, { completions: 4, refills: 4 });
  const words = new Int32Array(queue.share().rings);
  while (queue.giveCopy(new Uint8Array(1)));
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  const listens = vi.spyOn(Atomics, 'waitAsync');
  const onRings = () => listens.mock.calls.filter(([array]) => array.buffer === words.buffer).length;
  const waiting = queue.waitRoom();
  const raise = async (): Promise<void> => {
    Atomics.add(words, USER_TAKEN_EVENT_OFFSET >>> 2, 1);
    Atomics.notify(words, USER_TAKEN_EVENT_OFFSET >>> 2);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  await raise();
  const before = onRings();
  expect(before).toBeGreaterThan(0);
  for (let i = 0; i < 50; i++) await raise(); // in no time
  expect(onRings()).toBeLessThanOrEqual(before + 1);
  for (let ms = 0; ms < 20; ms++) {
    await vi.advanceTimersByTimeAsync(1);
    await raise();
  }
  expect(onRings()).toBeGreaterThan(before); // by and by it listens again
  expect(onRings()).toBeLessThanOrEqual(before + 21);
  new Receiver(queue.share()).receive()?.release();
  let isOver = false;
  void waiting.then(() => (isOver = true));
  while (!isOver) {
    await vi.advanceTimersByTimeAsync(1);
    await raise();
  }
  listens.mockRestore();
  vi.useRealTimers();
  pool.detach({ release: true });
});
