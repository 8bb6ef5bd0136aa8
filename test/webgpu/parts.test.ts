// Parts of the device provider, step by step: staging buffers by their state, references that a fence or a token has,
// and consumers by their tokens.

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AttachedPool } from '../../src/pool/attached-pool.js';
import { portOf } from '../../src/pool/enrolled.js';
import { PagePool } from '../../src/pool/page-pool.js';
import { DeviceConsumer } from '../../src/webgpu/consumer.js';
import { Custody } from '../../src/webgpu/custody.js';
import { Fences } from '../../src/webgpu/fences.js';
import { Staging } from '../../src/webgpu/staging.js';
import { expectAllHome } from '../support/home.js';
import { codeOf } from '../support/realm.js';
import { makeDevice, missingDevice } from '../support/webgpu.js';

describe.skipIf((await missingDevice()) !== undefined)('staging buffers', () => {
  let device: GPUDevice;
  let staging: Staging;
  beforeEach(async () => {
    device = await makeDevice();
    staging = new Staging(device as never, 4096, 'staging');
  });
  afterEach(() => device.destroy());
  /** The report without what is 0. */
  const found = (): object => {
    const { bytesMax, ...rest } = staging.report();
    expect(bytesMax).toBe(4096);
    return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== 0));
  };
  const asked = (bytes: number, signal?: AbortSignal) => Promise.resolve(staging.acquire(bytes, signal as never));

  it('have a power of two of bytes, and are used again', async () => {
    for (const [bytes, size] of [
      [1, 1],
      [255, 256],
      [256, 256],
      [257, 512],
    ] as const) {
      const buffer = await asked(bytes === 1 ? 4 : bytes);
      expect([buffer.bytes, buffer.state]).toEqual([Math.max(4, size), 'submitted']);
      staging.free(buffer);
      expect(await asked(buffer.bytes)).toBe(buffer);
      staging.drop(buffer);
      expect(found()).toMatchObject({ created: staging.report().created });
      expect(staging.report().bytes).toBe(0);
    }
    expect(staging.report().created).toBe(4);
  });

  it('count while they are made, and wait in order where the ceiling is reached', async () => {
    const first = asked(2048);
    expect(found()).toEqual({ bytes: 2048 });
    const second = asked(2048);
    const served: string[] = [];
    const third = asked(1024).finally(() => served.push('third'));
    const fourth = asked(512).finally(() => served.push('fourth'));
    expect(found()).toEqual({ bytes: 4096, waiting: 2 });
    const [one, two] = await Promise.all([first, second]);
    expect(found()).toEqual({ bytes: 4096, submitted: 2, waiting: 2, created: 2 });
    // Who asks later waits behind the others, although it would fit.
    const fifth = asked(2048);
    staging.free(one);
    expect(found()).toMatchObject({ bytes: 2048 + 1024 + 512, waiting: 1 });
    const [three, four] = await Promise.all([third, fourth]);
    expect(served).toEqual(['third', 'fourth']);
    staging.free(two);
    expect(await fifth).toBe(two);
    expect(found()).toEqual({ bytes: 3584, submitted: 3, created: 4 });
    for (const buffer of [two, three, four]) staging.free(buffer);
    expect(found()).toEqual({ bytes: 3584, free: 3, created: 4 });
    // Free ones of other sizes make room, as few as are needed.
    const large = await asked(2048);
    expect(large).toBe(two);
    const next = await asked(2048);
    expect(next.bytes).toBe(2048);
    expect(staging.report().bytes).toBe(4096);
    for (const buffer of [large, next]) staging.drop(buffer);
    expect(found()).toEqual({ created: 5 });
  });

  it('make room for one of another size, as few as are needed, the oldest first', async () => {
    const [one, two] = [await asked(2048), await asked(1024)];
    await asked(1024);
    for (const buffer of [one, two]) staging.free(buffer);
    expect(staging.report().bytes).toBe(4096);
    await asked(512);
    expect(found()).toEqual({ bytes: 2560, free: 1, submitted: 2, created: 4 });
    expect(await asked(1024)).toBe(two);
  });

  it('a wait ends by its signal, and leaves neither a place nor a listener', async () => {
    const all = await asked(4096);
    const control = new AbortController();
    const removed = vi.spyOn(control.signal, 'removeEventListener');
    const waiting = asked(4096, control.signal);
    const other = asked(4096, control.signal);
    expect(staging.report().waiting).toBe(2);
    staging.free(all);
    expect(await waiting).toBe(all);
    expect(removed).toHaveBeenCalledTimes(1);
    control.abort('enough');
    await expect(other).rejects.toBe('enough');
    expect([staging.report().waiting, removed.mock.calls.length]).toEqual([0, 2]);
    removed.mockRestore();
  });

  it('their end fails who waits and who asks later, and takes each when it is free', async () => {
    staging.requireOpen();
    const [used, free, idle] = [await asked(1024), await asked(2048), await asked(256)];
    for (const buffer of [free, idle]) staging.free(buffer);
    const late = asked(512);
    const [more, waiting] = [asked(4096), asked(4096)];
    expect(staging.report()).toMatchObject({ free: 2, waiting: 2 });
    const ends = Promise.allSettled([late, more, waiting]);
    staging.end('over');
    staging.end('again');
    expect(await ends).toEqual(Array(3).fill({ status: 'rejected', reason: 'over' }));
    await expect(asked(1024)).rejects.toBe('over');
    expect(() => staging.requireOpen()).toThrow('over');
    expect(found()).toMatchObject({ bytes: 1024, submitted: 1 });
    staging.free(used);
    expect(staging.report()).toMatchObject({ bytes: 0, free: 0, submitted: 0, waiting: 0 });
  });

  it('one that cannot be made is an error, takes no room, and who waits is served', async () => {
    const broken = vi.spyOn(device, 'createBuffer').mockImplementationOnce(() => {
      throw new RangeError('no memory');
    });
    const first = asked(4096);
    const second = asked(4096);
    await expect(first).rejects.toThrow('no memory');
    expect((await second).bytes).toBe(4096);
    expect(found()).toEqual({ bytes: 4096, submitted: 1, created: 1 });
    broken.mockRestore();
  });
});

describe('references that are passed on', () => {
  let pool: PagePool;
  let custody: Custody;
  beforeEach(() => {
    pool = PagePool.createSync({ pageBytes: 1024, pageCount: 8, name: 'parts' });
    custody = new Custody(portOf('webgpu', pool as unknown as AttachedPool));
  });
  afterEach(() => {
    expectAllHome(pool as never);
    pool.destroy();
  });

  it('are taken as often as this thread holds them, and come back', () => {
    const page = pool.alloc();
    pool.retain(page);
    custody.take('give', page);
    custody.take('give', page);
    expect(codeOf(() => custody.take('give', page))).toBe('POOL_ERR_NOT_HELD');
    custody.restore(page);
    custody.take('give', page);
    expect([custody.release(page), pool.refCount(page)]).toEqual([true, 1]);
    expect(codeOf(() => custody.take('give', page))).toBe('POOL_ERR_NOT_HELD');
    expect(custody.release(page)).toBe(true);
    expect(codeOf(() => custody.take('give', page))).toBe('POOL_ERR_STALE_HANDLE');
    for (const wrong of [0, -1, 1.5, '1', undefined]) {
      expect(codeOf(() => custody.take('give', wrong as number))).toMatch(/^POOL_ERR_(INVALID_ARGUMENT|STALE_HANDLE)$/);
    }
  });

  it('that somebody else released are told of, once each', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      const page = pool.alloc();
      custody.take('give', page);
      pool.release(page);
      expect(custody.release(page)).toBe(false);
      expect(warn.mock.calls).toEqual([
        [`pagepool "parts": handle=${page} was released by somebody else (expected: by its fence or token alone)`],
      ]);
    } finally {
      warn.mockRestore();
    }
  });

  it('went with the thread that left the pool: nobody is told', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      const left = PagePool.createSync({ pageBytes: 1024, pageCount: 2 });
      const own = new Custody(portOf('webgpu', left as unknown as AttachedPool));
      const page = left.alloc();
      own.take('give', page);
      left.detach({ release: true });
      expect([own.release(page), warn.mock.calls.length]).toEqual([true, 0]);
    } finally {
      warn.mockRestore();
    }
  });

  it('by fences go back when the promise settles, whatever way, all or none', async () => {
    const fences = new Fences(custody);
    const pages = [1, 2, 3].map(() => pool.alloc()) as [number, number, number];
    const settle: ((isGood: boolean) => void)[] = [];
    const later = (): Promise<void> =>
      new Promise((resolve, reject) => settle.push((isGood) => (isGood ? resolve() : reject(new Error('lost')))));
    const both = fences.add('fence', pages.slice(0, 2), later());
    const one = fences.add('fence', pages[2], later());
    expect([fences.count, fences.handles]).toEqual([2, 3]);
    for (const wrong of [undefined, {}, Object.fromEntries([['then', 1]])]) {
      expect(codeOf(() => fences.add('fence', pages[0], wrong as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    // The first was taken over for this call, and is not any more.
    const more = pool.alloc();
    let refused: unknown;
    try {
      fences.add('fence', [more, pages[0]], later());
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({ code: 'POOL_ERR_NOT_HELD', index: 1 });
    expect([fences.count, fences.handles, pool.refCount(more)]).toEqual([2, 3, 1]);
    settle[1]?.(false);
    await one;
    expect([fences.count, fences.handles, fences.refused]).toEqual([1, 2, 0]);
    const last = fences.add('fence', more, later());
    fences.open();
    await Promise.all([both, last]);
    expect([fences.count, fences.handles]).toEqual([0, 0]);
    settle[0]?.(true);
    // What comes later goes back at once.
    const page = pool.alloc();
    await fences.add('fence', page, later());
    expect(codeOf(() => pool.refCount(page))).toBe('POOL_ERR_STALE_HANDLE');
    expect(fences.refused).toBe(0);
  });

  it('by fences that were released by somebody else are counted', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      const fences = new Fences(custody);
      const pages = [pool.alloc(), pool.alloc(), pool.alloc()];
      const waiting = fences.add('fence', pages, Promise.resolve());
      for (const page of pages.slice(1)) pool.release(page);
      await waiting;
      expect([fences.refused, warn.mock.calls.length]).toEqual([2, 2]);
    } finally {
      warn.mockRestore();
    }
  });

  describe('a consumer', () => {
    const calls: unknown[] = [];
    const host = { skipped: () => void calls.push('skipped'), closed: (one: unknown) => void calls.push(one) };
    beforeEach(() => void calls.splice(0));
    const make = (worker?: EventEmitter): DeviceConsumer => new DeviceConsumer(custody, 'one', worker as never, host);

    it('has tokens that follow each other, and gives each back once', () => {
      const consumer = make();
      const pages = [1, 2, 3, 4].map(() => pool.alloc());
      const tokens = pages.map((page) => consumer.give(page));
      expect([tokens, consumer.held]).toEqual([[1, 2, 3, 4], 4]);
      expect([0, 1, 4, 5].map((token) => consumer.handleOf(token))).toEqual([0, pages[0], pages[3], 0]);
      expect(consumer.release([2, 2, 2, 1, 9, 0])).toBe(2);
      expect([consumer.held, consumer.skipped, calls]).toEqual([2, 1, ['skipped']]);
      expect(consumer.handleOf(2)).toBe(0);
      expect(pages.map((page) => codeOf(() => pool.refCount(page)))).toEqual([
        undefined,
        'POOL_ERR_STALE_HANDLE',
        'POOL_ERR_STALE_HANDLE',
        undefined,
      ]);
      for (const wrong of [null, 7, [1], [1, -1], [0.5, 1], [1, 2 ** 32], { length: -2 }]) {
        expect(codeOf(() => consumer.release(wrong as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      expect(consumer.held).toBe(2);
      consumer.close();
    });

    it('takes back 1,024 tokens a call at most, an empty range as one of them', () => {
      const consumer = make();
      const token = consumer.give(pool.alloc());
      const empty = (count: number): number[] => Array.from({ length: count }, () => [7, 0]).flat();
      expect(consumer.release([...empty(1024), token, 1])).toBe(0);
      expect(consumer.release([5000, 1024, token, 1])).toBe(0);
      expect(consumer.skipped).toBe(1024);
      expect(consumer.release([...empty(1023), token, 1])).toBe(1);
      expect(consumer.skipped).toBe(1024);
      const other = consumer.give(pool.alloc());
      expect(consumer.release([other - 1, 2 ** 32 - 1])).toBe(1);
      expect(consumer.skipped).toBe(1024 + 1023);
      consumer.close();
    });

    it.each(['close', 'exit', 'dispose'])('that ends by %s gives all back, once, and takes no more', (end) => {
      const worker = new EventEmitter();
      const consumer = make(worker);
      expect(worker.listenerCount('exit')).toBe(1);
      const pages = [pool.alloc(), pool.alloc()];
      for (const page of pages) consumer.give(page);
      if (end === 'close') expect(consumer.close()).toBe(2);
      else if (end === 'exit') worker.emit('exit');
      else consumer[Symbol.dispose]();
      expect([consumer.held, calls, worker.listenerCount('exit')]).toEqual([0, [consumer], 0]);
      expect([consumer.close(), calls.length, consumer.skipped]).toEqual([0, 1, 0]);
      const page = pool.alloc();
      expect(codeOf(() => consumer.give(page))).toBe('POOL_ERR_INVALID_ARGUMENT');
      pool.release(page);
    });

    it('gives no token anew before all others: one that comes back late is nobody else’s', () => {
      const consumer = make();
      expect(consumer.name).toBe('one');
      for (const token of [1, 2, 3]) {
        expect(consumer.give(pool.alloc())).toBe(token);
        expect(consumer.release([token, 1])).toBe(1);
      }
    });

    it('that is given what this thread has not keeps its next token', () => {
      const consumer = make();
      const page = pool.alloc();
      expect(consumer.give(page)).toBe(1);
      expect(codeOf(() => consumer.give(page))).toBe('POOL_ERR_NOT_HELD');
      const other = pool.alloc();
      expect([consumer.give(other), consumer.held]).toEqual([2, 2]);
      expect(consumer.close()).toBe(2);
    });
  });
});
