// Targets and sources that end at a bad moment: no write hangs, no page is lost, and none is used again while its bytes
// are on their way.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type connect as connectTls, createServer as createTlsServer } from 'node:tls';
import type { Fragment, PagePool } from 'pagepool';
import { connectInto, fragments, packetWritable, readStreamInto, receiveInto, writePacket } from 'pagepool/node';
import { Packet } from 'pagepool/packet';
import { describe, expect, test } from 'vitest';
import { turns, until } from '../support/waiting.js';
import { Collector, pattern, selfSigned, serve, serveEach, withPool } from './support.js';

function fragmentOf(pool: PagePool, length = 100, byte = 1): Fragment {
  const fragment = pool.take(length) as Fragment;
  fragment.bytes.fill(byte);
  return fragment;
}

const twoParts = (pool: PagePool): Packet =>
  new Packet().append(fragmentOf(pool, 8, 0x61)).append(fragmentOf(pool, 8, 0x62));

/** Answers one request of a real client by `answer`, and resolves with what that resolves to. */
async function answered<T>(answer: (response: ServerResponse, request: IncomingMessage) => Promise<T>): Promise<T> {
  let result: Promise<T> | undefined;
  const { port, end } = await serve(
    createServer((incoming, response) => {
      result = answer(response, incoming);
    }),
  );
  const client = request({ port, host: '127.0.0.1', agent: false }).on('error', () => {});
  client.on('response', (response) => response.on('error', () => {}).resume());
  client.end();
  await until(() => result !== undefined);
  try {
    return await (result as Promise<T>);
  } finally {
    client.destroy();
    await end();
  }
}

describe('a write that nobody would call back', () => {
  test('to a UDP socket that is closed behind it', () =>
    withPool({}, async (pool) => {
      const socket = createSocket('udp4');
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      const writes = Array.from({ length: 20 }, () => writePacket(socket, fragmentOf(pool), { port: 9 }));
      socket.close();
      for (const result of await Promise.allSettled(writes)) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
        else expect(result.value).toBeGreaterThan(0);
      }
    }));

  test('to a UDP socket that cannot be bound', () =>
    withPool({}, async (pool) => {
      const socket = createSocket('udp4').on('error', () => {});
      socket.bind(1, '192.0.2.1');
      await expect(writePacket(socket, fragmentOf(pool), { port: 9 })).rejects.toMatchObject({
        code: 'ERR_STREAM_DESTROYED',
      });
      socket.close();
    }));

  test('to an HTTP response whose connection is gone, and not yet closed', () =>
    withPool({}, async (pool) => {
      await answered(async (response, incoming) => {
        incoming.socket.destroy();
        await expect(writePacket(response, twoParts(pool))).rejects.toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
      });
    }));
});

test('a page stays until the parts before a refused one are written', () =>
  withPool({}, async (pool) => {
    let first: Uint8Array | undefined;
    let done: (() => void) | undefined;
    class Strict extends Writable {
      override write(chunk: Uint8Array, onDone: never): boolean {
        if (first !== undefined) throw new Error('too long');
        first = chunk;
        done = onDone;
        return true;
      }
    }
    const writing = writePacket(new Strict(), twoParts(pool));
    let isOver = false;
    writing.catch(() => {}).then(() => (isOver = true));
    await turns();
    expect([isOver, pool.audit().references.ledgers > 0, first?.[0]]).toEqual([false, true, 0x61]);
    done?.();
    await expect(writing).rejects.toThrow('too long');
  }));

test('streams that hand chunks on are refused, and nothing is taken over', () =>
  withPool({}, async (pool) => {
    const fragment = fragmentOf(pool);
    await expect(writePacket(new PassThrough(), fragment)).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    fragment.release();
    expect(() => packetWritable(new PassThrough())).toThrow(/POOL_ERR_INVALID_ARGUMENT|expected a stream/);
    expect(() => packetWritable({} as never)).toThrow(/expected a Writable/);
    expect(() => packetWritable(createNothing(), { position: -1 })).toThrow(/position=-1/);
  }));

const createNothing = (): Writable => new Writable({ write: (_chunk, _encoding, callback) => callback() });

test('TLS over a socket that is given is read, with a copy', () =>
  withPool({}, async (pool) => {
    const { key, cert } = selfSigned();
    const content = pattern(50_000);
    const { port, end } = await serve(createTlsServer({ key, cert }, (socket) => socket.end(content)));
    const socket = connect(port, '127.0.0.1');
    const got = new Collector();
    const tls = { socket, ca: cert, servername: 'localhost' } as unknown as Parameters<typeof connectTls>[0];
    const reading = connectInto(pool, { tls } as never, got.take);
    expect([await reading.finished, reading.isDirect]).toEqual([content.length, false]);
    expect(got.bytes.equals(content)).toBe(true);
    await end();
  }));

test('as many connections as pages go on, whoever got the last', () =>
  withPool({ pageCount: 4, pageBytes: 1024 }, async (pool) => {
    const content = pattern(40_000);
    const { port, end } = await serveEach((socket) => {
      // Little by little, so that all connections stand in a read at any time.
      let at = 0;
      const send = (): void => {
        if (at >= content.length) return void socket.end();
        socket.write(content.subarray(at, at + 400));
        at += 400;
        void turns(1).then(send);
      };
      send();
    });
    const got = Array.from({ length: 4 }, () => new Collector());
    const readings = got.map((each) =>
      // Released a while later: by then others wait for the page, and each connection gets one.
      connectInto(pool, { port, host: '127.0.0.1' }, (fragment) => void turns(3).then(() => each.take(fragment))),
    );
    await Promise.all(readings.map(({ finished }) => finished));
    await until(() => got.every((each) => each.bytes.length === content.length));
    for (const each of got) expect(each.bytes.equals(content)).toBe(true);
    await end();
  }));

describe('a packetWritable', () => {
  test('releases what comes after its end', () =>
    withPool({}, async (pool) => {
      const ended = packetWritable(createNothing());
      ended.end();
      ended.on('error', () => {});
      ended.write(fragmentOf(pool));
      const destroyed = packetWritable(createNothing());
      destroyed.destroy();
      destroyed.write(fragmentOf(pool));
      await until(() => pool.audit().references.ledgers === 0);
    }));

  test('takes an encoding for nothing at its end', () =>
    withPool({}, async (pool) => {
      const sink = packetWritable(createNothing());
      await new Promise<void>((resolve, reject) => {
        sink.on('error', reject);
        const onEnd = (error?: Error | null): void => (error == null ? resolve() : reject(error));
        (sink.end as (...args: unknown[]) => void).call(sink, fragmentOf(pool), 'utf8', onEnd);
      });
    }));

  test('fails where its target cannot finish', () =>
    withPool({}, async (pool) => {
      const target = new Writable({
        write: (_chunk, _encoding, callback) => callback(),
        final: (callback) => callback(new Error('no room for the end')),
      });
      await expect(pipeline(Readable.from([fragmentOf(pool)]), packetWritable(target))).rejects.toThrow('no room');
      const over = new Writable({ autoDestroy: false }).end();
      await once(over, 'finish');
      await expect(pipeline(Readable.from([]), packetWritable(over))).rejects.toMatchObject({
        code: 'ERR_STREAM_ALREADY_FINISHED',
      });
      const gone = new Writable().destroy();
      await once(gone, 'close');
      await expect(pipeline(Readable.from([]), packetWritable(gone))).rejects.toMatchObject({
        code: 'ERR_STREAM_DESTROYED',
      });
    }));

  test('sends no datagram of what was released when it was destroyed', () =>
    withPool({}, async (pool) => {
      const receiver = createSocket('udp4');
      const lengths: number[] = [];
      receiver.on('message', ({ length }) => lengths.push(length));
      receiver.bind(0, '127.0.0.1');
      await once(receiver, 'listening');
      const { port } = receiver.address();
      const sink = packetWritable(createSocket('udp4'), { port, address: '127.0.0.1' });
      sink.cork();
      for (let i = 0; i < 6; i++) sink.write(new Packet().append(fragmentOf(pool, 10)));
      sink.uncork();
      sink.destroy(); // while the first is on its way
      const held = new Promise<number>((resolve) => sink.once('close', () => resolve(pool.audit().references.ledgers)));
      expect(await held).toBe(0);
      await until(() => lengths.length > 0);
      await turns();
      expect(lengths).toEqual([10]);
      receiver.close();
    }));

  test('lets go of a target that nobody reads, when it is destroyed', () =>
    withPool({ pageCount: 64 }, async (pool) => {
      const { port, end } = await serveEach((socket) => socket.pause());
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      const sink = packetWritable(socket);
      sink.on('error', () => {});
      let fragment = pool.take(4096);
      while (fragment !== null) {
        sink.write(fragment);
        fragment = pool.take(4096);
      }
      sink.destroy();
      await once(sink, 'close');
      expect(socket.destroyed).toBe(true);
      await end();
    }));
});

describe('the function that gets fragments', () => {
  test('of datagrams may reject: the reading ends, and later errors of the socket are nobody else’s', () =>
    withPool({}, async (pool) => {
      const socket = createSocket('udp4');
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      const reading = receiveInto(pool, socket, async () => {
        throw new Error('not this one');
      });
      socket.send('x', socket.address().port, '127.0.0.1');
      await expect(reading.finished).rejects.toThrow('not this one');
      socket.emit('error', new Error('another datagram was refused'));
      socket.close();
    }));

  test('may fail behind a release by number: its own error is told, and the reading ends', () =>
    withPool({}, async (pool) => {
      // In the middle of a page, whose bytes the reading goes on with, and at its end.
      for (const length of [10, pool.pageBytes]) {
        const source = (): Readable => Readable.from([Buffer.alloc(length)], { objectMode: false });
        const late = readStreamInto(pool, source(), async (fragment) => {
          pool.release(fragment.handle);
          throw new Error('mine');
        });
        await expect(late).rejects.toThrow('mine');
        const atOnce = readStreamInto(pool, source(), (fragment) => {
          pool.release(fragment.handle);
          throw new Error('mine as well');
        });
        await expect(atOnce).rejects.toThrow('mine as well');
      }
    }));
});

test('a stream of fragments that flows away, or is destroyed under a source that does not stop, keeps none', () =>
  withPool({}, async (pool) => {
    const read = async (onFragment: (fragment: Fragment) => unknown): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        await onFragment(fragmentOf(pool));
        await turns(1);
      }
    };
    const flowing = fragments(read as never);
    flowing.resume();
    await once(flowing, 'end');
    const destroyed = fragments(read as never);
    destroyed.read(0);
    await turns(1);
    destroyed.destroy();
    await once(destroyed, 'close');
  }));
