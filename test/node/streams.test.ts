// Streams, requests and datagrams into pages, packets out, and streams of fragments in pipelines: however they end,
// every page is home.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';
import { type Fragment, PagePool } from 'pagepool';
import {
  connectInto,
  fragments,
  packetWritable,
  readFileInto,
  readStreamInto,
  receiveInto,
  writePacket,
} from 'pagepool/node';
import { Packet } from 'pagepool/packet';
import { describe, expect, test } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';
import { Collector, inFolder, pattern, serve, serveEach, withPool } from './support.js';

const bytes = pattern(200_003);
const entry = new URL('../../build/index.js', import.meta.url).href;

/** A packet of the bytes, in fragments of `partBytes`. */
function packetOf(pool: PagePool, content: Uint8Array, partBytes = 1000): Packet {
  const packet = new Packet();
  for (let at = 0; at < content.length; at += partBytes) {
    const part = content.subarray(at, at + partBytes);
    const fragment = pool.take(part.length) as Fragment;
    fragment.bytes.set(part);
    packet.append(fragment);
  }
  return packet;
}

describe('readStreamInto', () => {
  test('copies chunks of every length and alignment in order', () =>
    withPool({ pageCount: 8 }, async (pool) => {
      const source = function* () {
        for (let at = 0, length = 1; at < bytes.length; at += length, length = (length * 7 + 3) % 9001) {
          yield bytes.subarray(at, at + length);
        }
      };
      const got = new Collector();
      expect(await readStreamInto(pool, Readable.from(source(), { objectMode: false }), got.take)).toBe(bytes.length);
      expect(got.bytes.equals(bytes)).toBe(true);
    }));

  test('takes a stream that has ended, or was destroyed, for what it is', () =>
    withPool({}, async (pool) => {
      const ended = Readable.from([], { objectMode: false });
      await new Promise((resolve) => ended.on('end', resolve).resume());
      expect(await readStreamInto(pool, ended, () => {})).toBe(0);
      // Just now, with and without an event that says so, and a while ago.
      const codeOf = (stream: Readable) => readStreamInto(pool, stream, () => {}).catch(({ code }) => code);
      const heard = new PassThrough().destroy();
      const destroy = (error: Error | null, done: (error: Error | null) => void) => void setImmediate(done, error);
      const silent = new Readable({ emitClose: false, read() {}, destroy }).destroy();
      const isClosed = new Promise((resolve) => heard.on('close', resolve));
      const codes = [codeOf(heard), codeOf(silent)];
      await isClosed;
      for (const code of [...codes, codeOf(heard)]) expect(await code).toBe('ERR_STREAM_PREMATURE_CLOSE');
    }));

  test('refuses streams of objects and of strings', () =>
    withPool({}, async (pool) => {
      const code = 'POOL_ERR_INVALID_ARGUMENT';
      for (const stream of [Readable.from([1]), new PassThrough().setEncoding('utf8'), {}, null]) {
        await expect(readStreamInto(pool, stream as never, () => {})).rejects.toMatchObject({ code });
      }
    }));

  test('keeps the order also of chunks that come although it was paused, and after pages came back', () =>
    withPool({ pageCount: 2 }, async (pool) => {
      const held: Fragment[] = [];
      const chunks: Buffer[] = [];
      const stream = new PassThrough();
      const reading = readStreamInto(pool, stream, (fragment) => {
        chunks.push(Buffer.from(fragment.bytes));
        held.push(fragment);
      });
      for (let i = 0; i < 5; i++) stream.emit('data', bytes.subarray(i * 3000, i * 3000 + 3000));
      for (const fragment of held.splice(0)) fragment.release();
      stream.emit('data', bytes.subarray(15_000, 16_000));
      await until(() => {
        for (const fragment of held.splice(0)) fragment.release();
        return Buffer.concat(chunks).length === 16_000;
      });
      expect(Buffer.concat(chunks).equals(bytes.subarray(0, 16_000))).toBe(true);
      stream.end();
      expect(await reading).toBe(16_000);
      for (const fragment of held) fragment.release();
    }));

  test('takes no more from the stream than the pool has room for', () =>
    withPool({ pageCount: 4 }, async (pool) => {
      let given = 0;
      const stream = new Readable({
        highWaterMark: 1024,
        read() {
          given += 1024;
          this.push(given > 200_000 ? null : bytes.subarray(given - 1024, given));
        },
      });
      const held: Fragment[] = [];
      const reading = readStreamInto(pool, stream, (fragment) => void held.push(fragment));
      await until(() => held.length >= 16);
      await turns();
      expect(given).toBeLessThan(20_000);
      stream.destroy();
      await expect(reading).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
      for (const fragment of held) fragment.release();
    }));

  test('goes on to the next page when one has as many references as there can be', () =>
    withPool({ pageBytes: 1024 * 1024, pageCount: 4 }, async (pool) => {
      const kept: Fragment[] = [];
      const stream = new PassThrough();
      const reading = readStreamInto(pool, stream, (fragment) => void kept.push(fragment));
      for (let i = 0; i < 70_000; i++) {
        if (!stream.write(bytes.subarray(i, i + 1))) await new Promise((resolve) => stream.once('drain', resolve));
      }
      stream.end();
      expect(await reading).toBe(70_000);
      expect(kept.every((fragment, i) => fragment.bytes[0] === bytes[i])).toBe(true);
      expect(new Set(kept.map(({ handle }) => handle)).size).toBe(2);
      for (const fragment of kept) fragment.release();
    }));

  test('gives everything back when the stream fails in the middle', () =>
    withPool({}, async (pool) => {
      const stream = new PassThrough();
      const got = new Collector();
      const reading = readStreamInto(pool, stream, got.take);
      stream.write(bytes.subarray(0, 5000));
      await until(() => got.bytes.length === 5000);
      stream.destroy(new Error('torn'));
      await expect(reading).rejects.toThrow('torn');
      expect(got.bytes.equals(bytes.subarray(0, 5000))).toBe(true);
    }));
});

describe('HTTP request bodies', () => {
  /** A server that reads each body into the pool and answers how that ended. */
  const receiver = (pool: PagePool, got: Collector, maxBytes: number) =>
    serve(
      createServer((incoming: IncomingMessage, response) => {
        readStreamInto(pool, incoming, got.take, { maxBytes }).then(
          (count) => response.end(`${count}`),
          (error) => response.destroy(error),
        );
      }),
    );

  test('arrive, chunked or not', () =>
    withPool({}, async (pool) => {
      for (const headers of [{ 'content-length': bytes.length }, {}]) {
        const got = new Collector();
        const { port, end } = await receiver(pool, got, 1e6);
        const outgoing = request({ port, host: '127.0.0.1', method: 'POST', headers });
        outgoing.end(bytes);
        const answer = await new Promise<IncomingMessage>((resolve) => outgoing.on('response', resolve));
        let text = '';
        for await (const chunk of answer) text += chunk;
        expect(text).toBe(`${bytes.length}`);
        expect(got.bytes.equals(bytes)).toBe(true);
        await end();
      }
    }));

  test('that are too long, or whose client goes away, are refused, and every page is back', () =>
    withPool({}, async (pool) => {
      const got = new Collector();
      const { port, end } = await receiver(pool, got, 50_000);
      const outgoing = request({ port, host: '127.0.0.1', method: 'POST' });
      const failed = new Promise<Error>((resolve) => outgoing.on('error', resolve));
      outgoing.end(bytes);
      expect(await failed).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
      const before = got.count;
      const leaving = request({ port, host: '127.0.0.1', method: 'POST' });
      leaving.on('error', () => {});
      leaving.write(bytes.subarray(0, 9000));
      await until(() => got.count > before);
      leaving.destroy();
      await until(() => pool.stats().pages.used === 0);
      await end();
    }));
});

describe('receiveInto', () => {
  test('takes datagrams with their sender, and counts those that find no page', () =>
    withPool({ pageBytes: 1024, unitBytes: 1024, pageCount: 4 }, async (pool) => {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
      const held: Fragment[] = [];
      const ports = new Set<number>();
      const reading = receiveInto(pool, socket, (fragment, from) => {
        ports.add(from.port);
        held.push(fragment);
      });
      const sender = createSocket('udp4');
      const send = (data: Uint8Array) =>
        new Promise<void>((resolve) => sender.send(data, socket.address().port, '127.0.0.1', () => resolve()));
      for (const length of [0, 1, 1000, 1024, 1025, 5, 6]) await send(bytes.subarray(0, length));
      await until(() => reading.received + reading.dropped === 7);
      expect(held.map(({ length }) => length)).toEqual([0, 1, 1000, 1024]);
      expect(held.every((one) => Buffer.from(one.bytes).equals(bytes.subarray(0, one.length)))).toBe(true);
      expect(reading.dropped).toBe(3);
      expect([...ports]).toEqual([sender.address().port]);
      for (const fragment of held) fragment.release();
      reading.stop();
      await reading.finished;
      const came = once(socket, 'message');
      await send(bytes.subarray(0, 3));
      await came;
      expect(reading.received).toBe(4);
      socket.close();
      sender.close();
    }));

  test('ends with what the function throws', () =>
    withPool({}, async (pool) => {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
      const reading = receiveInto(pool, socket, () => {
        throw new Error('no more');
      });
      const sender = createSocket('udp4');
      sender.send('x', socket.address().port, '127.0.0.1');
      await expect(reading.finished).rejects.toThrow('no more');
      socket.close();
      sender.close();
      expect(() => receiveInto(pool, {} as never, () => {})).toThrow(
        expect.objectContaining({ code: 'POOL_ERR_INVALID_ARGUMENT' }),
      );
    }));
});

describe('writePacket', () => {
  test('writes to a socket, a file and a UDP socket, and releases when that is done', () =>
    withPool({ pageCount: 128 }, async (pool) => {
      const chunks: Buffer[] = [];
      const server = await serveEach((socket) => void socket.on('data', (chunk) => chunks.push(chunk)));
      const socket = connect(server.port, '127.0.0.1');
      const writing = writePacket(socket, packetOf(pool, bytes));
      expect(pool.stats().pages.used).toBeGreaterThan(0);
      expect(await writing).toBe(bytes.length);
      expectAllHome(pool);
      await until(() => Buffer.concat(chunks).length === bytes.length);
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      socket.destroy();
      await server.end();

      await inFolder(async (folder) => {
        const path = join(folder, 'out');
        const handle = await open(path, 'w');
        expect(await writePacket(handle, packetOf(pool, bytes.subarray(0, 5000)))).toBe(5000);
        expect(await writePacket(handle, packetOf(pool, bytes.subarray(5000), 300))).toBe(bytes.length - 5000);
        const fragment = pool.take(5) as Fragment;
        fragment.bytes.set(Buffer.from('hello'));
        expect(await writePacket(handle, fragment, { position: 10 })).toBe(5);
        await handle.close();
        const expected = Buffer.from(bytes);
        expected.write('hello', 10);
        expect(readFileSync(path).equals(expected)).toBe(true);
      });

      const receiver = createSocket('udp4');
      await new Promise<void>((resolve) => receiver.bind(0, '127.0.0.1', resolve));
      const message = new Promise<Buffer>((resolve) => receiver.on('message', resolve));
      const sender = createSocket('udp4');
      const port = receiver.address().port;
      expect(await writePacket(sender, packetOf(pool, bytes.subarray(0, 2500)), { port, address: '127.0.0.1' })).toBe(
        2500,
      );
      expect((await message).equals(bytes.subarray(0, 2500))).toBe(true);
      receiver.close();
      sender.close();
    }));

  test('goes on behind what a file took, from the position on', () =>
    withPool({}, (pool) =>
      inFolder(async (folder) => {
        const path = join(folder, 'out');
        const handle = await open(path, 'w');
        const sparing = {
          writev: ([first]: Uint8Array[], position: number) =>
            handle.write(first as Uint8Array, 0, Math.min((first as Uint8Array).length, 300), position),
        };
        const packet = packetOf(pool, bytes.subarray(0, 5000));
        expect(await writePacket(sparing as never, packet, { position: 7 })).toBe(5000);
        await handle.close();
        expect(readFileSync(path).subarray(7).equals(bytes.subarray(0, 5000))).toBe(true);
      }),
    ));

  test('says how much a file took that then refused the rest', () =>
    withPool({}, async (pool) => {
      let room = 700;
      const full = {
        writev: async ([first]: Uint8Array[]) => {
          if (room === 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
          const bytesWritten = Math.min((first as Uint8Array).length, 300, room);
          room -= bytesWritten;
          return { bytesWritten };
        },
      };
      const writing = writePacket(full as never, packetOf(pool, bytes.subarray(0, 5000)));
      await expect(writing).rejects.toMatchObject({ code: 'ENOSPC', bytesWritten: 700 });
    }));

  test('holds the pages until the platform has taken them', () =>
    withPool({ pageBytes: 65536, pageCount: 512 }, async (pool) => {
      // More than the kernel keeps for a connection.
      const big = pattern(24_000_000);
      const chunks: Buffer[] = [];
      let peer: import('node:net').Socket | undefined;
      const server = await serveEach((socket) => {
        peer = socket.pause();
      });
      const socket = connect(server.port, '127.0.0.1');
      let isDone = false;
      const writing = writePacket(socket, packetOf(pool, big, 65536)).then(() => {
        isDone = true;
      });
      await until(() => peer !== undefined);
      await turns();
      expect(isDone).toBe(false);
      expect(pool.stats().pages.used).toBeGreaterThan(300);
      peer?.on('data', (chunk) => chunks.push(chunk)).resume();
      await writing;
      await until(() => Buffer.concat(chunks).length === big.length);
      expect(Buffer.concat(chunks).equals(big)).toBe(true);
      socket.destroy();
      await server.end();
    }));

  test('that fails half way, or before it begins, rejects and releases', () =>
    withPool({ pageBytes: 65536, pageCount: 512 }, async (pool) => {
      const server = await serveEach((socket) => void socket.once('data', () => socket.resetAndDestroy()));
      const socket = connect(server.port, '127.0.0.1').on('error', () => {});
      const code = expect.stringMatching(/ECONNRESET|EPIPE|ERR_STREAM_DESTROYED|ECANCELED/);
      await expect(writePacket(socket, packetOf(pool, pattern(24_000_000), 65536))).rejects.toMatchObject({ code });
      expectAllHome(pool);
      await expect(writePacket(socket, packetOf(pool, bytes))).rejects.toMatchObject({ code });
      expectAllHome(pool);
      const failing = new Writable({ write: (_, __, done) => done(new Error('disk full')) });
      failing.on('error', () => {});
      await expect(writePacket(failing, packetOf(pool, bytes))).rejects.toThrow();
      expectAllHome(pool);
      const full = await open('/dev/full', 'w');
      await expect(writePacket(full, packetOf(pool, bytes))).rejects.toMatchObject({ code: 'ENOSPC' });
      await full.close();
      await expect(writePacket(full, packetOf(pool, bytes))).rejects.toMatchObject({ code: 'EBADF' });
      await server.end();
    }));

  test('refuses what it cannot write to, and leaves the packet alone', () =>
    withPool({}, async (pool) => {
      const packet = packetOf(pool, bytes.subarray(0, 10));
      for (const [target, options] of [[{}], [null], [process.stdout, { position: -1 }], [process.stdout, { at: 1 }]]) {
        const writing = writePacket(target as never, packet, options as never);
        await expect(writing).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
      }
      await expect(writePacket(process.stdout, 'text' as never)).rejects.toMatchObject({
        code: 'POOL_ERR_INVALID_ARGUMENT',
      });
      expect(packet.length).toBe(10);
      packet.release();
    }));
});

describe('pipelines', () => {
  test('carry a file through fragments to a socket, and from a socket to a file', () =>
    withPool({ pageCount: 24 }, (pool) =>
      inFolder(async (folder) => {
        const [from, to] = [join(folder, 'from'), join(folder, 'to')];
        const file = await open(from, 'w');
        await file.write(bytes);
        await file.close();
        const out = await open(to, 'w');
        let stored: Promise<void> = Promise.resolve();
        const server = await serveEach((socket) => {
          const source = fragments((onFragment, signal) => readStreamInto(pool, socket, onFragment, { signal }));
          stored = pipeline(source, packetWritable(out));
        });
        const source = fragments((onFragment, signal) => readFileInto(pool, from, onFragment, { signal }));
        await pipeline(source, packetWritable(connect(server.port, '127.0.0.1')));
        await stored;
        await out.close();
        expect(readFileSync(to).equals(bytes)).toBe(true);
        await server.end();
      }),
    ));

  test('release what is inside when either end fails', () =>
    withPool({ pageCount: 24 }, async (pool) => {
      const server = await serveEach((socket) => {
        const send = (error?: Error | null): void => void (error == null && socket.write(bytes, send));
        send();
      });
      const source = () =>
        fragments(
          (onFragment, signal) =>
            connectInto(pool, { port: server.port, host: '127.0.0.1' }, onFragment, { signal }).finished,
        );
      let count = 0;
      const failing = new Writable({
        highWaterMark: 1,
        write: (_, __, done) => void setImmediate(() => done(++count === 5 ? new Error('disk full') : null)),
      });
      await expect(pipeline(source(), packetWritable(failing))).rejects.toThrow('disk full');
      await until(() => pool.stats().pages.used === 0);

      const control = new AbortController();
      let written = 0;
      const slow = new Writable({
        write: (_, __, done) => {
          if (++written === 5) control.abort();
          setImmediate(done);
        },
      });
      const sink = packetWritable(slow);
      await expect(pipeline(source(), sink, { signal: control.signal })).rejects.toMatchObject({ name: 'AbortError' });
      await until(() => pool.stats().pages.used === 0);

      const broken = fragments(async (onFragment) => {
        onFragment(pool.take(10) as Fragment);
        throw new Error('source broken');
      });
      await expect(pipeline(broken, packetWritable(new Writable({ write: (_, __, done) => done() })))).rejects.toThrow(
        'source broken',
      );
      await server.end();
    }));

  test('end their target when all is written, and destroy it where something went wrong, with the reason', () =>
    withPool({}, async (pool) => {
      const made = () => {
        const target = new Writable({ autoDestroy: false, write: (_, __, done) => void setImmediate(done) });
        target.on('error', () => {});
        const stream = packetWritable(target).on('error', () => {});
        stream.write(pool.take(10));
        const closed = new Promise((resolve) => stream.once('close', resolve));
        return { target, stream, closed };
      };
      const well = made();
      well.stream.end();
      await well.closed;
      expect([well.target.writableFinished, well.target.destroyed]).toEqual([true, false]);
      const reason = new Error('enough');
      for (const error of [reason, undefined]) {
        const { target, stream, closed } = made();
        stream.destroy(error);
        await closed;
        expect([target.writableFinished, target.destroyed, target.errored]).toEqual([false, true, error ?? null]);
      }
      // All was written, and then it failed.
      const late = made();
      late.stream.once('finish', () => void late.stream.destroy(reason));
      late.stream.end();
      await late.closed;
      expect([late.target.writableFinished, late.target.destroyed]).toEqual([true, true]);
    }));

  test('release what was written and never read, also fragments after the end', () =>
    withPool({ pageCount: 24 }, async (pool) => {
      const source = fragments(async (onFragment, signal) => {
        while (!signal.aborted) await onFragment(pool.take(10) as Fragment);
      });
      await new Promise((resolve) => source.once('readable', resolve));
      await new Promise((resolve) => source.once('close', resolve).destroy());
      expectAllHome(pool);

      const target = new Writable({ write: (_, __, done) => void setImmediate(done) });
      const stream = packetWritable(target);
      stream.on('error', () => {});
      for (let i = 0; i < 5; i++) stream.write(pool.take(10));
      stream.end(pool.take(10));
      target.destroy();
      stream.destroy();
      await new Promise((resolve) => stream.once('close', resolve));
      expectAllHome(pool);
    }));
});

test('a worker that dies holding packets: what it had goes home, and the connection goes on', async () => {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 16, channels: { work: { capacity: 64 } } });
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(${JSON.stringify(entry)}).then(async ({ PagePool }) => {
      const pool = PagePool.attach(workerData);
      const held = [];
      for (;;) {
        const one = await pool.channel('work').next({ ref: true });
        if (one === null) break;
        parentPort.postMessage(held.push(one));
      }
    });`;
  let holds = 0;
  const start = () => {
    const worker = new Worker(program, { eval: true, workerData: pool.share() });
    pool.watch(worker);
    holds = 0;
    worker.on('message', (count: number) => {
      holds = count;
    });
    return worker;
  };
  const server = await serveEach((socket) => socket.end(bytes));
  const work = pool.channel('work');
  let worker = start();
  let deaths = 0;
  const reading = connectInto(pool, { port: server.port, host: '127.0.0.1' }, async (fragment) => {
    while (!work.sendFragment(fragment)) await work.waitRoom({ ref: true });
  });
  let isDone = false;
  const done = reading.finished.finally(() => {
    isDone = true;
  });
  for (;;) {
    // Fewer than the pool has pages: as many come to each worker, or the connection is through.
    const wanted = 1 + 3 * (deaths % 3);
    await until(() => isDone || holds >= wanted);
    if (isDone) break;
    await worker.terminate();
    deaths++;
    worker = start();
  }
  expect(await done).toBe(bytes.length);
  expect(deaths).toBeGreaterThan(1);
  await worker.terminate();
  for (let one = work.receive(); one !== null; one = work.receive()) one.release();
  await until(() => pool.stats().pages.used === 0);
  expectAllHome(pool);
  await server.end();
  expect((await pool.close({ timeoutMs: HUNG_MS, ref: true })).isDestroyed).toBe(true);
});
