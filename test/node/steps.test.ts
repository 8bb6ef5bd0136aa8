// Parts of the sources and targets, step by step: what each call does, what it leaves, and what a second one changes.

import { createSocket } from 'node:dgram';
import { channel } from 'node:diagnostics_channel';
import { type EventEmitter, getEventListeners, once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Delivery } from '../../src/node/delivery.js';
import { Intake } from '../../src/node/intake.js';
import { isLater, later } from '../../src/node/later.js';
import { resolveRead } from '../../src/node/options.js';
import { PendingWrites } from '../../src/node/pending.js';
import type { Fragment } from '../../src/pool/fragment.js';
import { PagePool } from '../../src/pool/page-pool.js';
import { expectAllHome } from '../support/home.js';
import { turns, until } from '../support/waiting.js';
import { serve } from './support.js';

let pool: PagePool;
let isOver = false;
beforeEach(() => {
  pool = PagePool.createSync({ pageBytes: 4096, pageCount: 4, name: 'steps' });
  isOver = false;
});
afterEach(() => {
  if (isOver) return;
  expectAllHome(pool as never);
  pool.destroy();
});

const taken = (length = 100): Fragment => pool.take(length) as Fragment;
const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;
/** Whether it still has its reference: it refuses otherwise. */
function isHeld(fragment: Fragment): boolean {
  try {
    return fragment.bytes.length > 0;
  } catch {
    return false;
  }
}

describe('later', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test('leaves neither a timer nor a listener, however it ends', async () => {
    const { signal } = new AbortController();
    const over = later(5, signal);
    expect([vi.getTimerCount(), listeners(signal)]).toEqual([1, 1]);
    vi.advanceTimersByTime(4);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await over).toBe(undefined);
    expect([vi.getTimerCount(), listeners(signal)]).toEqual([0, 0]);

    const control = new AbortController();
    const aborted = later(5, control.signal);
    control.abort('meanwhile');
    await expect(aborted).rejects.toBe('meanwhile');
    expect([vi.getTimerCount(), listeners(control.signal)]).toEqual([0, 0]);

    await expect(later(5, control.signal)).rejects.toBe('meanwhile');
    expect([vi.getTimerCount(), listeners(control.signal)]).toEqual([0, 0]);

    const alone = later(5, undefined);
    vi.advanceTimersByTime(5);
    await alone;
  });

  test.each([
    [{ code: 'EAGAIN' }, true],
    [{ code: 'EWOULDBLOCK' }, true],
    [{ code: 'EPIPE' }, false],
    [null, false],
    [undefined, false],
  ])('is what %j means: %s', (error, is) => expect(isLater(error)).toBe(is));
});

describe('a delivery', () => {
  const calls: string[] = [];
  const ends: unknown[] = [];
  const onEnd = (message: unknown) => void ends.push(message);
  beforeEach(() => {
    calls.length = 0;
    ends.length = 0;
    channel('pagepool:end').subscribe(onEnd);
  });
  afterEach(() => void channel('pagepool:end').unsubscribe(onEnd));

  function deliveryOf(onFragment: (fragment: Fragment) => unknown, options: object = {}): Delivery {
    const delivery: Delivery = new Delivery('read', pool, onFragment, resolveRead('read', pool, options), {
      onReady: () => void calls.push('ready'),
      onFail: () => void calls.push('fail'),
    });
    delivery.finished.catch(() => {});
    return delivery;
  }

  test('hears its signal from begin() to its end', async () => {
    const control = new AbortController();
    const { signal } = control;
    for (const end of ['finish', 'fail', 'abort'] as const) {
      const delivery = deliveryOf(() => {}, { signal });
      expect(listeners(signal)).toBe(0);
      delivery.begin();
      expect([listeners(signal), delivery.isReady, delivery.isOver]).toEqual([1, true, false]);
      if (end === 'finish') delivery.finish();
      else if (end === 'fail') delivery.fail('why');
      else control.abort('stop');
      expect([delivery.isReady, delivery.isOver]).toEqual([false, true]);
      if (end !== 'finish') delivery.settle();
      expect(listeners(signal)).toBe(0);
      if (end === 'finish') expect(await delivery.finished).toBe(0);
      else await expect(delivery.finished).rejects.toBe(end === 'fail' ? 'why' : 'stop');
      delivery.begin(); // it is over
      expect(listeners(signal)).toBe(0);
    }
    const late = deliveryOf(() => {}, { signal });
    late.begin();
    expect([late.isOver, listeners(signal)]).toEqual([true, 0]);
    expect(calls).toEqual(['fail', 'fail', 'fail']);
  });

  test('counts up to maxBytes', async () => {
    const delivery = deliveryOf(() => {}, { maxBytes: 10 });
    expect([delivery.count(4), delivery.count(6), delivery.isOver]).toEqual([true, true, false]);
    expect([delivery.count(1), delivery.isOver]).toEqual([false, true]);
    expect(delivery.count(5)).toBe(false); // and is not counted
    delivery.settle();
    await expect(delivery.finished).rejects.toMatchObject({
      code: 'POOL_ERR_MEMORY_LIMIT',
      message:
        'read failed: bytes=11 (expected at most maxBytes, 10); ' +
        'ask for fewer or smaller pages; end a stream whose messages are too long',
    });
    expect(ends).toMatchObject([{ call: 'read', pool: 'steps', bytes: 11 }]);
  });

  test('gives one after the other where promises come back, and is ready again behind the last', async () => {
    const given: number[] = [];
    const goOn: (() => void)[] = [];
    const delivery = deliveryOf((fragment) => {
      given.push(fragment.length);
      fragment.release();
      return fragment.length === 2 ? undefined : new Promise<void>((resolve) => goOn.push(resolve));
    });
    for (const length of [1, 2, 3]) delivery.put(taken(length));
    expect([given, delivery.isReady]).toEqual([[1], false]);
    goOn[0]?.();
    await turns(1);
    expect([given, delivery.isReady, calls]).toEqual([[1, 2, 3], false, []]);
    goOn[1]?.();
    await turns(1);
    expect([delivery.isReady, calls]).toEqual([true, ['ready']]);
    delivery.put(taken(2));
    expect([given, delivery.isReady, calls]).toEqual([[1, 2, 3, 2], true, ['ready']]);
    // What ends meanwhile is not ready, and keeps nothing.
    delivery.put(taken(1));
    const queued = taken(5);
    delivery.put(queued);
    delivery.fail('why');
    delivery.fail('another');
    expect(isHeld(queued)).toBe(false);
    goOn[2]?.();
    await turns(1);
    const late = taken(6);
    delivery.put(late);
    expect([isHeld(late), given.at(-1), calls]).toEqual([false, 1, ['ready', 'fail']]);
    expect(ends).toEqual([]);
    delivery.settle();
    delivery.settle();
    delivery.finish();
    await expect(delivery.finished).rejects.toBe('why');
    expect(ends.length).toBe(1);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
  ] as const)('ends where the function %s, and releases what it was given', async (_, refuse) => {
    for (const isReleased of [false, true]) {
      const delivery = deliveryOf((fragment) => {
        if (isReleased) pool.release(fragment.handle);
        return refuse();
      });
      const fragment = taken();
      delivery.put(fragment);
      await turns(1);
      if (!isReleased) expect(isHeld(fragment)).toBe(false);
      delivery.settle();
      await expect(delivery.finished).rejects.toThrow('mine');
    }
    expect(calls).toEqual(['fail', 'fail']);
  });
});

describe('writes under way', () => {
  const write = () => ({ giveUp: vi.fn(), onDrain: vi.fn() });
  const twoTurns = async () => {
    for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
  afterEach(() => void vi.useRealTimers());

  test('to what says that it closes need no timer, and are given up behind it, but for those that are done', async () => {
    const target = new Writable({ write: () => {} });
    const writes = PendingWrites.of(target);
    expect(PendingWrites.of(target)).toBe(writes);
    expect(target.listenerCount('close')).toBe(1);
    const [one, other, done] = [write(), write(), write()];
    for (const each of [one, other, done]) writes.add(each);
    expect(vi.getTimerCount()).toBe(0);
    writes.drained();
    expect([one, other].map(({ onDrain }) => onDrain.mock.calls.length)).toEqual([1, 1]);
    target.destroy();
    await once(target, 'close');
    expect(one.giveUp).not.toHaveBeenCalled();
    writes.delete(done);
    await twoTurns();
    expect([one, other, done].map(({ giveUp }) => giveUp.mock.calls.length)).toEqual([1, 1, 0]);
    expect(writes.isGone).toBe(false);
  });

  test('to a stream that does not say so are checked by one timer, as long as there are any', async () => {
    const target = new Writable({ write: () => {}, emitClose: false });
    const writes = PendingWrites.of(target);
    const [one, other] = [write(), write()];
    writes.add(one);
    writes.add(other);
    expect(vi.getTimerCount()).toBe(1);
    writes.delete(one);
    expect(vi.getTimerCount()).toBe(1);
    writes.delete(other);
    expect(vi.getTimerCount()).toBe(0);
    writes.add(one);
    vi.advanceTimersByTime(200);
    expect(vi.getTimerCount()).toBe(1);
    await twoTurns();
    expect(one.giveUp).not.toHaveBeenCalled();
    target.destroy();
    vi.advanceTimersByTime(49);
    await twoTurns();
    expect(one.giveUp).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(vi.getTimerCount()).toBe(0);
    await twoTurns();
    expect(one.giveUp).toHaveBeenCalledTimes(1);
  });

  test('are checked by a timer that does not hold the process', () => {
    vi.useRealTimers();
    const made = vi.spyOn(globalThis, 'setInterval');
    const writes = PendingWrites.of(new Writable({ write: () => {}, emitClose: false }));
    const one = write();
    writes.add(one);
    expect(made.mock.results.map(({ value }) => value.hasRef())).toEqual([false]);
    writes.delete(one);
    made.mockRestore();
  });

  test('to a request without a connection are checked until it has one', async () => {
    const { port, end } = await serve(createServer((_, response) => void response.end()));
    const client = request({ port, host: '127.0.0.1', method: 'POST', agent: false }).on('error', () => {});
    const writes = PendingWrites.of(client);
    writes.add(write());
    expect(vi.getTimerCount()).toBe(client.socket === null ? 1 : 0);
    await until(() => client.socket !== null);
    vi.advanceTimersByTime(50);
    expect(vi.getTimerCount()).toBe(0);
    client.destroy();
    await end();
  });

  test('to a response that waits behind another one are gone with their connection, which has one listener', async () => {
    const responses: ServerResponse[] = [];
    const { port, end } = await serve(createServer((_: IncomingMessage, response) => void responses.push(response)));
    const { connect } = await import('node:net');
    const client = connect(port, '127.0.0.1').on('error', () => {});
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3));
    await until(() => responses.length === 3);
    const [first, second, third] = responses as [ServerResponse, ServerResponse, ServerResponse];
    const { socket } = second.req;
    const before = socket.listenerCount('close');
    const waiting = [second, third].map((response) => PendingWrites.of(response));
    expect(socket.listenerCount('close') - before).toBe(1);
    expect([...waiting, PendingWrites.of(first)].map(({ isGone }) => isGone)).toEqual([false, false, false]);
    const [one, other] = [write(), write()];
    waiting[0]?.add(one);
    waiting[1]?.add(other);
    socket.destroy();
    expect(waiting.map(({ isGone }) => isGone)).toEqual([true, true]);
    await until(() => one.giveUp.mock.calls.length > 0 && other.giveUp.mock.calls.length > 0);
    expect(vi.getTimerCount()).toBe(0);
    await end();
  });

  test('to a UDP socket are given up behind an error of one that is not bound', async () => {
    for (const isBound of [false, true]) {
      const socket = createSocket('udp4').on('error', () => {});
      if (isBound) {
        socket.bind(0, '127.0.0.1');
        await once(socket, 'listening');
      }
      const writes = PendingWrites.of(socket as unknown as EventEmitter);
      const one = write();
      writes.add(one);
      socket.emit('error', new Error('refused'));
      await twoTurns();
      expect(one.giveUp.mock.calls.length).toBe(isBound ? 0 : 1);
      socket.close();
    }
  });
});

describe('an intake', () => {
  const calls: string[] = [];
  const got: number[] = [];
  beforeEach(() => {
    calls.length = 0;
    got.length = 0;
  });
  const source = { resume: () => void calls.push('resume'), stop: () => void calls.push('stop') };
  const take = (fragment: Fragment): void => {
    got.push(fragment.length);
    fragment.release();
  };
  const intakeOf = (isCopying: boolean, onFragment: (fragment: Fragment) => unknown = take, options: object = {}) => {
    const intake = new Intake('read', pool, onFragment, resolveRead('read', pool, options), isCopying, source);
    intake.delivery.finished.catch(() => {});
    return intake;
  };
  const holdAll = (): Fragment[] => Array.from({ length: 4 }, () => taken(4096));

  test.each([true, false])('that waits for a page fails where the pool ends (copying: %s)', async (isCopying) => {
    const held = holdAll();
    const intake = intakeOf(isCopying);
    if (isCopying) expect(intake.put(new Uint8Array(10))).toBe(false);
    expect(calls).toEqual([]);
    const closing = pool.close();
    await until(() => calls.includes('stop'));
    intake.closed();
    await expect(intake.delivery.finished).rejects.toMatchObject({ code: 'POOL_ERR_CLOSING' });
    expect(calls).toEqual(['stop']);
    for (const fragment of held) fragment.release();
    expect((await closing).isDestroyed).toBe(true);
    isOver = true;
  });

  test('pauses while there is no page, and goes on with all that came meanwhile, in order', async () => {
    const held = holdAll();
    const intake = intakeOf(true);
    expect([intake.put(new Uint8Array(5000)), intake.put(new Uint8Array(7))]).toEqual([false, false]);
    expect([got, calls]).toEqual([[], []]);
    held.shift()?.release();
    await until(() => calls.length > 0);
    expect([got.reduce((sum, length) => sum + length, 0), calls]).toEqual([5007, ['resume']]);
    expect(intake.put(new Uint8Array(1))).toBe(true);
    intake.ended();
    expect(await intake.delivery.finished).toBe(5008);
    expect(calls).toEqual(['resume']);
    for (const fragment of held) fragment.release();
  });

  test('that ends while it waits waits on where bytes are left, and ends at once where none are', async () => {
    const held = holdAll();
    const some = intakeOf(true);
    some.put(new Uint8Array(3));
    some.ended();
    const none = intakeOf(false);
    none.ended();
    expect(await none.delivery.finished).toBe(0);
    expect([some.delivery.isOver, got]).toEqual([false, []]);
    held.shift()?.release();
    expect(await some.delivery.finished).toBe(3);
    expect([got, calls]).toEqual([[3], []]);
    for (const fragment of held) fragment.release();
  });

  test('that is closed before its end fails, with the cause where that is known, and once', async () => {
    for (const cause of [undefined, new Error('cut off')]) {
      const intake = intakeOf(true);
      intake.put(new Uint8Array(3));
      intake.closed(cause);
      await expect(intake.delivery.finished).rejects.toMatchObject(
        cause === undefined
          ? { code: 'ERR_STREAM_PREMATURE_CLOSE', message: 'the source was closed before its end' }
          : { message: 'cut off' },
      );
      intake.closed(new Error('again'));
      intake.ended();
    }
    expect(calls).toEqual(['stop', 'stop']);
  });

  test('keeps its pages until no byte can land in them', async () => {
    const intake = intakeOf(false, () => {
      throw new Error('mine');
    });
    const room = intake.room();
    expect([room.length, intake.room() === room, pool.stats().pages.used]).toEqual([4096, true, 2]);
    expect(intake.received(10, room)).toBe(false);
    let isOver = false;
    intake.delivery.finished.catch(() => (isOver = true));
    await turns(1);
    expect([calls, isOver, pool.stats().pages.used > 0]).toEqual([['stop'], false, true]);
    intake.closed();
    await expect(intake.delivery.finished).rejects.toThrow('mine');
    expect(pool.stats().pages.used).toBe(0);
  });

  test('goes on in the room that is left of a page, as long as that is enough', async () => {
    const intake = intakeOf(false, take, { minRoomBytes: 96 });
    const room = intake.room();
    expect(intake.received(4000, room)).toBe(true);
    const rest = intake.room();
    expect([rest.length, rest.buffer === room.buffer, rest.byteOffset - room.byteOffset]).toEqual([96, true, 4000]);
    expect(intake.received(1, rest)).toBe(true);
    const next = intake.room();
    expect([next.length, next.byteOffset === room.byteOffset]).toEqual([4096, false]);
    // What the platform names itself is copied into pages, whatever it is.
    expect(intake.received(5, Buffer.alloc(5))).toBe(true);
    intake.ended();
    expect(await intake.delivery.finished).toBe(4006);
    expect(got).toEqual([4000, 1, 5]);
  });
});
