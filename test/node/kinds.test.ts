// What is written to each kind of target, and what is made of each end of a source: one table for each question.

import { createCipheriv, createHash } from 'node:crypto';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Duplex, PassThrough, Readable, Transform, Writable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { receiveInto } from '../../src/node/datagram.js';
import { readFileInto } from '../../src/node/file.js';
import { Intake } from '../../src/node/intake.js';
import { resolveRead } from '../../src/node/options.js';
import { readStreamInto } from '../../src/node/stream.js';
import { fragments, packetWritable } from '../../src/node/streams.js';
import { isStreamKind, targetKind } from '../../src/node/target.js';
import { writePacket } from '../../src/node/write.js';
import { Packet } from '../../src/packet/packet.js';
import type { Fragment } from '../../src/pool/fragment.js';
import { PagePool } from '../../src/pool/page-pool.js';
import { expectAllHome } from '../support/home.js';
import { turns, until } from '../support/waiting.js';

let pool: PagePool;
beforeEach(() => {
  pool = PagePool.createSync({ pageBytes: 4096, pageCount: 4, name: 'kinds' });
});
afterEach(() => {
  expectAllHome(pool as never);
  pool.destroy();
});

const filled = (length: number, byte = 7): Fragment => {
  const fragment = pool.take(Math.max(1, length)) as Fragment;
  fragment.bytes.fill(byte);
  return fragment;
};
const twoParts = (): Packet => new Packet().append(filled(3, 1)).append(filled(5, 2));
const emptyPacket = (): Packet => {
  const packet = new Packet().append(filled(4));
  const empty = packet.slice(0, 0);
  packet.release();
  return empty;
};
/** References that this thread has. */
const held = (): number => pool.audit().references.ledgers;
const nothing = { write: (_chunk: unknown, _encoding: string, done: () => void) => done() };

/** A stream of somebody else: an emitter with a `write`. */
class Foreign extends EventEmitter {
  destroyed = false;
  closed = false;
  errored: Error | undefined;
  answer: boolean | Error = true;
  readonly chunks: Uint8Array[] = [];
  readonly heldThen: number[] = [];
  done: (error?: Error | null) => void = () => {};
  write(chunk: Uint8Array, done: (error?: Error | null) => void): boolean {
    this.chunks.push(chunk);
    this.heldThen.push(held());
    this.done = done;
    if (this.answer instanceof Error) throw this.answer;
    return this.answer;
  }
}
const asTarget = (target: unknown): Writable => target as Writable;

describe('the kind of a target', () => {
  const own = new Writable(nothing);
  own.write = (() => true) as never;
  const kinds: [name: string, kind: string, target: () => object][] = [
    ['a UDP socket', 'datagrams', () => createSocket('udp4').unref()],
    ['a file handle', 'file', () => ({ writev: () => {} })],
    ['a Writable', 'direct', () => new Writable(nothing)],
    ['a socket', 'direct', () => new Socket()],
    ['an HTTP response', 'direct', () => new ServerResponse(new IncomingMessage(new Socket()))],
    ['a compressor', 'direct', () => createGzip()],
    ['a cipher', 'direct', () => createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16))],
    ['a hash', 'direct', () => createHash('sha256')],
    ['a Writable of objects', 'copy', () => new Writable({ ...nothing, objectMode: true })],
    ['a Transform', 'copy', () => new Transform({ transform: (_chunk, _encoding, done) => done() })],
    ['a Duplex', 'copy', () => new Duplex({ ...nothing, read() {} })],
    ['a stream that is not Node’s', 'foreign', () => new Foreign()],
    ['a Writable with a write of its own', 'foreign', () => own],
  ];
  test.each(kinds)('%s: %s', (_, kind, make) => {
    const target = make();
    expect([targetKind('writePacket', target), targetKind('writePacket', target)]).toEqual([kind, kind]);
    expect(isStreamKind(kind as never)).toBe(!['datagrams', 'file'].includes(kind));
    if (kind === 'datagrams') (target as DatagramSocket).close();
  });

  test('is asked again where another write was put over the first', () => {
    const target = new Writable(nothing);
    const kind = (): string => targetKind('writePacket', target);
    expect(kind()).toBe('direct');
    target.write = (() => true) as never;
    expect(kind()).toBe('foreign');
    delete (target as Partial<Writable>).write;
    expect(kind()).toBe('direct');
  });

  test.each([
    ['none', undefined],
    ['null', null],
    ['nothing that can be written to', { on() {} }],
    ['nothing that notifies', { write() {} }],
    ['a PassThrough', new PassThrough()],
  ])('%s is refused', (_, target) => {
    expect(() => targetKind('writePacket', target)).toThrow('writePacket failed: target=');
  });
});

describe('a write to a stream that is not Node’s', () => {
  test('is a copy: the pages are home before it, and it is done when the stream takes more at once', async () => {
    const target = new Foreign();
    expect(await writePacket(asTarget(target), twoParts())).toBe(8);
    expect([...(target.chunks[0] as Uint8Array)]).toEqual([1, 1, 1, 2, 2, 2, 2, 2]);
    expect([target.heldThen, target.chunks[0]?.buffer instanceof ArrayBuffer]).toEqual([[0], true]);
    target.done(new Error('too late'));
    expect(await writePacket(asTarget(target), emptyPacket())).toBe(0);
    expect(target.chunks.length).toBe(1); // of no bytes nothing is written
  });

  const ends: [name: string, end: (target: Foreign) => void, rejects: object | undefined][] = [
    ['its callback', (target) => target.done(), undefined],
    ['its callback with null', (target) => target.done(null), undefined],
    ['drain', (target) => void target.emit('drain'), undefined],
    ['its callback with an error', (target) => target.done(new Error('refused')), { message: 'refused' }],
    ['close', (target) => void target.emit('close'), { code: 'ERR_STREAM_DESTROYED' }],
    [
      'close, with the error that it has',
      (target) => void (Object.assign(target, { errored: new Error('mine') }) && target.emit('close')),
      { message: 'mine' },
    ],
  ];
  test.each(ends)('that has no room ends by %s, once', async (_, end, rejects) => {
    const target = Object.assign(new Foreign(), { answer: false });
    const writing = writePacket(asTarget(target), filled(5));
    let isOver = false;
    writing.catch(() => {}).then(() => (isOver = true));
    await turns(1);
    expect([isOver, held()]).toEqual([false, 0]);
    end(target);
    if (rejects === undefined) expect(await writing).toBe(5);
    else await expect(writing).rejects.toMatchObject(rejects);
    // Those that are over are told nothing more.
    target.done(new Error('again'));
    target.emit('drain');
  });

  test('that throws ends with what it throws', async () => {
    const target = Object.assign(new Foreign(), { answer: new Error('thrown') });
    await expect(writePacket(asTarget(target), filled(5))).rejects.toThrow('thrown');
  });

  test.each(['destroyed', 'closed'])('that is %s is refused, and nothing is written', async (state) => {
    const target = Object.assign(new Foreign(), { [state]: true });
    await expect(writePacket(asTarget(target), filled(5))).rejects.toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
    expect([target.chunks.length, held()]).toEqual([0, 0]);
  });

  test('listens once, however often it is written to', async () => {
    const target = new Foreign();
    for (let i = 0; i < 3; i++) await writePacket(asTarget(target), filled(5));
    expect(['drain', 'close'].map((name) => target.listenerCount(name))).toEqual([1, 1]);
  });
});

describe('a write to a stream of Node', () => {
  test('that may hand chunks on gets one copy, and the pages are home before it', async () => {
    const got: [Uint8Array, number][] = [];
    const target = new Transform({
      transform: (chunk, _encoding, done) => {
        got.push([chunk, held()]);
        done();
      },
    });
    expect(await writePacket(target, twoParts())).toBe(8);
    expect(got.map(([chunk, then]) => [...chunk, then])).toEqual([[1, 1, 1, 2, 2, 2, 2, 2, 0]]);
    expect(await writePacket(target, emptyPacket())).toBe(0);
    expect(got.length).toBe(1);
  });

  test('gets the pages themselves, all in one, and keeps them until it calls back', async () => {
    const calls: { lengths: number[]; done: () => void }[] = [];
    const target = new Writable({
      write: (chunk, _encoding, done) => void calls.push({ lengths: [chunk.length], done }),
      writev: (chunks, done) => void calls.push({ lengths: chunks.map(({ chunk }) => chunk.length), done }),
    });
    const both = writePacket(target, twoParts());
    expect([calls.map(({ lengths }) => lengths), held()]).toEqual([[[3, 5]], 2]);
    expect(target.writableCorked).toBe(0);
    calls[0]?.done();
    expect([await both, held()]).toEqual([8, 0]);
    const one = writePacket(target, filled(9));
    expect(calls[1]?.lengths).toEqual([9]);
    calls[1]?.done();
    expect(await one).toBe(9);
    expect(await writePacket(target, emptyPacket())).toBe(0);
    expect(calls.length).toBe(2);
  });

  test('is refused with the first error of its parts, when the last of them is over', async () => {
    const target = new Writable({ write: (_chunk, _encoding, done) => done(new Error('first')) });
    target.on('error', () => {});
    await expect(writePacket(target, twoParts())).rejects.toThrow('first');
    await expect(writePacket(target, filled(4))).rejects.toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  });
});

describe('a write to a file', () => {
  test('goes on behind what it took, view by view', async () => {
    const asked: [lengths: number[], position: number | undefined][] = [];
    const takes = [2, 1, 3, 2];
    const file = {
      writev: async (views: Uint8Array[], position?: number) => {
        asked.push([views.map(({ length }) => length), position]);
        return { bytesWritten: takes[asked.length - 1] };
      },
    };
    expect(await writePacket(file as unknown as FileHandle, twoParts(), { position: 10 })).toBe(8);
    expect(asked).toEqual([
      [[3, 5], 10],
      [[1, 5], 12],
      [[5], 13],
      [[2], 16],
    ]);
    asked.length = 0;
    expect(await writePacket(file as unknown as FileHandle, twoParts())).toBe(8);
    expect(asked.map(([, position]) => position)).toEqual([undefined, undefined, undefined, undefined]);
    expect(await writePacket(file as unknown as FileHandle, emptyPacket())).toBe(0);
    expect(asked.length).toBe(4);
  });

  test('that has no room now is asked later, less and less often, and soon again when it took something', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    try {
      let calls = 0;
      const asked: number[] = [];
      const file = {
        writev: async () => {
          asked.push(Date.now());
          if (++calls % 10 !== 0) throw Object.assign(new Error('not now'), { code: 'EAGAIN' });
          return { bytesWritten: 4 };
        },
      };
      let isOver = false;
      const writing = writePacket(file as unknown as FileHandle, twoParts()).finally(() => {
        isOver = true;
      });
      while (!isOver) await vi.advanceTimersByTimeAsync(1);
      expect(await writing).toBe(8);
      const waits = asked.slice(1).map((at, i) => at - (asked[i] as number));
      expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64, 0, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a packetWritable', () => {
  test('of fragments of two pools fails, and keeps none of either', async () => {
    const other = PagePool.createSync({ pageBytes: 4096, pageCount: 2 });
    const sink = packetWritable(new Writable(nothing));
    const failed = once(sink, 'error');
    sink.cork();
    sink.write(filled(4));
    sink.write(other.take(4));
    sink.write(filled(5));
    sink.uncork();
    expect((await failed)[0]).toMatchObject({ code: 'POOL_ERR_FOREIGN_HANDLE' });
    await until(() => held() === 0 && other.audit().references.ledgers === 0);
    other.destroy();
  });

  test('writes to a file from its position on, one behind the other', async () => {
    const positions: (number | undefined)[] = [];
    const file = {
      writev: async (views: Uint8Array[], position?: number) => {
        positions.push(position);
        return { bytesWritten: views.reduce((sum, { length }) => sum + length, 0) };
      },
    };
    for (const position of [100, undefined]) {
      const sink = packetWritable(file as unknown as FileHandle, { position });
      for (const length of [4, 6]) await new Promise((resolve) => sink.write(filled(length), resolve));
      sink.cork();
      sink.write(filled(1));
      sink.write(filled(2));
      sink.uncork();
      sink.end(filled(3));
      await once(sink, 'finish');
    }
    expect(positions).toEqual([100, 104, 110, 113, undefined, undefined, undefined, undefined]);
  });

  test('ends a stream that is not Node’s without a callback, and finishes when that has finished', async () => {
    const target = Object.assign(new Foreign(), { end: vi.fn() });
    const sink = packetWritable(asTarget(target));
    let isOver = false;
    sink.on('finish', () => (isOver = true));
    sink.end(filled(4));
    await until(() => target.end.mock.calls.length > 0);
    await turns(1);
    expect([isOver, target.end.mock.calls]).toEqual([false, [[]]]);
    target.emit('finish');
    await until(() => isOver);
  });

  test('leaves its target open where it is told to', async () => {
    const target = new Writable(nothing);
    const sink = packetWritable(target, { end: false });
    sink.end(filled(4));
    await once(sink, 'finish');
    sink.destroy();
    await once(sink, 'close');
    expect([target.writableEnded, target.destroyed, target.listenerCount('error')]).toEqual([false, false, 0]);
  });
});

describe('a stream of fragments', () => {
  const three = async (onFragment: (fragment: Fragment) => unknown): Promise<void> => {
    for (const length of [1, 2, 3]) await onFragment(filled(length));
  };

  test('has what was put back again, and releases it where it is destroyed', async () => {
    const stream = fragments(three);
    await once(stream, 'readable');
    const first = stream.read() as Fragment;
    stream.unshift(first);
    expect(stream.read()).toBe(first);
    stream.unshift(first);
    stream.destroy();
    await once(stream, 'close');
    expect(held()).toBe(0);
  });

  test.each(['destroyed', 'ended'])('that is %s releases what is put back', async (state) => {
    const stream = fragments(three);
    stream.on('error', () => {});
    let kept: Fragment | undefined;
    for await (const fragment of state === 'ended' ? stream : []) {
      if (kept === undefined) kept = fragment as Fragment;
      else (fragment as Fragment).release();
    }
    if (state === 'destroyed') stream.destroy();
    kept ??= filled(5);
    const before = held();
    stream.unshift(kept);
    expect(before - held()).toBe(1);
  });
});

describe('the end of a stream that is read', () => {
  /** A stream with more of its state than Node gives it. */
  const streamOf = (state: object): Readable => {
    const stream = new Readable({ read() {} });
    for (const [name, value] of Object.entries(state)) Object.defineProperty(stream, name, { value });
    return stream;
  };
  const ends: [state: object, cause: object | undefined][] = [
    [{}, undefined],
    [{ aborted: false, complete: true, rstCode: 0 }, undefined],
    [{ errored: null }, undefined],
    [{ errored: false }, undefined],
    [{ stream: null }, undefined],
    [{ stream: { rstCode: 0 } }, undefined],
    [{ errored: new Error('its own') }, { message: 'its own' }],
    [{ rstCode: 8 }, { code: 'ERR_STREAM_PREMATURE_CLOSE', message: expect.stringContaining('rstCode=8') }],
    [{ stream: { rstCode: 2 } }, { message: expect.stringContaining('rstCode=2') }],
    [{ aborted: true }, { message: expect.stringContaining('aborted=true') }],
    [{ complete: false }, { message: expect.stringContaining('complete=false') }],
  ];
  test.each(ends)('with %j is one, or fails with %j', async (state, cause) => {
    const stream = streamOf(state);
    const got: number[] = [];
    const reading = readStreamInto(pool, stream, (fragment) => {
      got.push(fragment.length);
      fragment.release();
    });
    reading.catch(() => {});
    stream.push(Buffer.alloc(10));
    stream.push(null);
    if (cause === undefined) expect(await reading).toBe(10);
    else await expect(reading).rejects.toMatchObject(cause);
    expect(got).toEqual([10]);
    expect(['data', 'end', 'close'].map((name) => stream.listenerCount(name))).toEqual([0, 0, 0]);
    expect(stream.listenerCount('error')).toBe(1);
  });

  test.each([
    [{}, true],
    [{ method: 'POST' }, true],
    [{ url: '/' }, true],
    [{ method: 'POST', url: '/' }, false],
    [{ respond: () => {} }, false],
  ])('that fails, of one with %j: it is destroyed: %s', async (state, isDestroyed) => {
    const stream = streamOf(state);
    const reading = readStreamInto(pool, stream, (fragment) => fragment.release(), { maxBytes: 5 });
    reading.catch(() => {});
    stream.push(Buffer.alloc(10));
    await expect(reading).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
    expect([stream.destroyed, stream.isPaused(), stream.listenerCount('data')]).toEqual([isDestroyed, false, 0]);
  });

  test('that brings something else than bytes fails', async () => {
    const stream = streamOf({});
    const reading = readStreamInto(pool, stream, (fragment) => fragment.release());
    stream.emit('data', 'text');
    await expect(reading).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    expect(stream.destroyed).toBe(true);
  });
});

describe('datagrams', () => {
  const NAMES = ['message', 'close', 'error'];
  const bound = async (): Promise<DatagramSocket> => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket;
  };

  test('of a socket that is closed end at once, and of one that is not bound yet they do not', async () => {
    const socket = await bound();
    const waiting = createSocket('udp4');
    const later = receiveInto(pool, waiting, (fragment) => fragment.release());
    let isOver = false;
    void later.finished.then(() => (isOver = true));
    socket.close();
    await receiveInto(pool, socket, (fragment) => fragment.release()).finished;
    await turns(1);
    expect(isOver).toBe(false);
    waiting.close();
    await later.finished;
  });

  test.each([
    ['stop', 0],
    ['close', 0],
    ['error', 1],
  ] as const)('end by %s, and leave %i listeners for errors that come late', async (end, left) => {
    const socket = await bound();
    const before = NAMES.map((name) => socket.listenerCount(name));
    const ends: unknown[] = [];
    const onEnd = (message: unknown): void => void ends.push(message);
    subscribe('pagepool:end', onEnd);
    const reading = receiveInto(pool, socket, (fragment) => fragment.release());
    expect(NAMES.map((name, i) => socket.listenerCount(name) - (before[i] as number))).toEqual([1, 1, 1]);
    if (end === 'stop') reading.stop();
    else if (end === 'close') socket.close();
    else socket.emit('error', new Error('refused'));
    if (end === 'error') await expect(reading.finished).rejects.toThrow('refused');
    else await reading.finished;
    reading.stop();
    unsubscribe('pagepool:end', onEnd);
    expect(ends).toEqual([{ call: 'receiveInto', pool: 'kinds', bytes: 0 }]);
    expect(NAMES.map((name, i) => socket.listenerCount(name) - (before[i] as number))).toEqual([0, 0, left]);
    if (end !== 'close') socket.close();
  });
});

describe('a file that is read by a handle', () => {
  const handleOf = (readv: FileHandle['readv']): FileHandle => ({ fd: 0, readv }) as FileHandle;

  test('that throws at once fails, and every page is home', async () => {
    const broken = handleOf(() => {
      throw new Error('no such thing');
    });
    await expect(readFileInto(pool, broken, (fragment) => fragment.release())).rejects.toThrow('no such thing');
  });

  test('that has nothing yet is not asked again when the reading was ended', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let reads = 0;
      const none = handleOf(async () => {
        reads++;
        throw Object.assign(new Error('not now'), { code: 'EAGAIN' });
      });
      const control = new AbortController();
      const reading = readFileInto(pool, none, (fragment) => fragment.release(), { signal: control.signal });
      reading.catch(() => {});
      await until(() => vi.getTimerCount() > 0);
      expect([reads, held()]).toEqual([1, 0]);
      control.abort(new Error('enough'));
      await expect(reading).rejects.toThrow('enough');
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

test('an intake that waited with a page in hand keeps the next one in reserve', async () => {
  const all = Array.from({ length: 4 }, () => pool.take() as Fragment);
  const got: number[] = [];
  const take = (fragment: Fragment): void => {
    got.push(fragment.length);
    fragment.release();
  };
  const source = { resume: vi.fn(), stop: vi.fn() };
  const intake = new Intake('read', pool, take, resolveRead('read', pool, {}), false, source);
  all.pop()?.release();
  // The bytes come into memory of the platform, and find the page before the wait does.
  expect(intake.received(10, Buffer.alloc(10))).toBe(false);
  expect(got).toEqual([10]);
  all.pop()?.release();
  await until(() => source.resume.mock.calls.length > 0);
  expect(pool.stats().pages.used - all.length).toBe(2);
  // Over the end of the page and on, without a wait.
  const room = intake.room();
  expect(intake.received(room.length, room)).toBe(true);
  expect(intake.room().length).toBe(4096);
  intake.ended();
  expect(await intake.delivery.finished).toBe(10 + room.length);
  for (const page of all) page.release();
});
