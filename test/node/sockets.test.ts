// Sockets into pages: every byte in order, back-pressure while the pool is empty, and every page home however a
// connection ends.

import { channel as diagnostics } from 'node:diagnostics_channel';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import type { Fragment, PagePool } from 'pagepool';
import { connectInto, type ReadOptions, type SocketReading, serveInto } from 'pagepool/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';
import { Collector, pattern, selfSigned, serve, serveEach, withPool } from './support.js';

const file = pattern(300_001);
const { key, cert } = selfSigned();

type Way = 'connected' | 'connected by TLS' | 'accepted' | 'accepted, copied' | 'accepted by TLS';
const WAYS: readonly Way[] = ['connected', 'connected by TLS', 'accepted', 'accepted, copied', 'accepted by TLS'];

/** Opens a connection of which one end reads into the pool, and the other end does what `peer` says. */
async function open(
  way: Way,
  pool: PagePool,
  peer: (socket: Socket) => void,
  onFragment: (fragment: Fragment) => unknown,
  options: ReadOptions = {},
): Promise<SocketReading & { end(): Promise<void> }> {
  const isTls = way.endsWith('TLS');
  const quiet = (socket: Socket): Socket => socket.on('error', () => {});
  if (way.startsWith('connected')) {
    const server = isTls
      ? await serve(createTlsServer({ key, cert }, (socket) => peer(quiet(socket))))
      : await serveEach(peer);
    const where = { port: server.port, host: '127.0.0.1' };
    const target = isTls ? { tls: { ...where, servername: 'localhost', ca: cert } } : where;
    return { ...connectInto(pool, target, onFragment, options), end: server.end };
  }
  let found: (reading: SocketReading) => void = () => {};
  const reading = new Promise<SocketReading>((resolve) => {
    found = resolve;
  });
  const read = way === 'accepted, copied' ? { ...options, direct: false } : options;
  const accept = (socket: Socket) => found(serveInto(pool, socket, onFragment, read));
  const server = isTls
    ? await serve(createTlsServer({ key, cert }, accept))
    : await serveEach(accept, { pauseOnConnect: way === 'accepted' });
  const where = { port: server.port, host: '127.0.0.1' };
  const client = isTls ? connectTls({ ...where, servername: 'localhost', ca: cert }) : connect(where);
  client.once(isTls ? 'secureConnect' : 'connect', () => peer(client));
  quiet(client);
  return { ...(await reading), end: server.end };
}

describe.each(WAYS)('%s', (way) => {
  test.each([
    ['whole pages', {} as ReadOptions],
    ['reads of 64 bytes', { readBytes: 64 }],
    ['reads of 1,000 bytes', { readBytes: 1000, minRoomBytes: 1 }],
  ])('every byte arrives in order in %s', async (_, options) => {
    await withPool({}, async (pool) => {
      const got = new Collector();
      const bytes = options.readBytes === 64 ? file.subarray(0, 20_000) : file;
      const { finished, end } = await open(way, pool, (socket) => socket.end(bytes), got.take, options);
      expect(await finished).toBe(bytes.length);
      expect(got.bytes.equals(bytes)).toBe(true);
      await end();
    });
  });

  test('one byte at a time fills one page after the other', async () => {
    await withPool({ pageBytes: 256, unitBytes: 64 }, async (pool) => {
      const kept: Fragment[] = [];
      const bytes = file.subarray(0, 600);
      const drip = async (socket: Socket) => {
        socket.setNoDelay(true);
        for (const byte of bytes) {
          socket.write(Uint8Array.of(byte));
          await new Promise(setImmediate);
        }
        socket.end();
      };
      const { finished, end } = await open(
        way,
        pool,
        (socket) => void drip(socket),
        (fragment) => void kept.push(fragment),
      );
      expect(await finished).toBe(bytes.length);
      expect(Buffer.concat(kept.map((fragment) => fragment.bytes)).equals(bytes)).toBe(true);
      // Kept all together: no more pages than the bytes need, and the alignment of copies.
      expect(new Set(kept.map(({ handle }) => handle)).size).toBeLessThan(bytes.length / 16);
      for (const fragment of kept) fragment.release();
      await end();
    });
  });

  test('an empty pool pauses the source, which goes on when pages are released; nothing is lost', async () => {
    await withPool({ pageCount: 4 }, async (pool) => {
      const chunks: Buffer[] = [];
      const held: Fragment[] = [];
      const events: string[] = [];
      const listen = (message: unknown, name: string | symbol) => {
        if ((message as { pool: string }).pool === pool.name) events.push(String(name));
      };
      for (const name of ['pause', 'resume', 'end']) diagnostics(`pagepool:${name}`).subscribe(listen);
      const { finished, end } = await open(
        way,
        pool,
        (socket) => socket.end(file),
        (fragment) => {
          chunks.push(Buffer.from(fragment.bytes));
          held.push(fragment);
        },
      );
      let isDone = false;
      const done = finished.then((bytes) => {
        isDone = true;
        return bytes;
      });
      await until(() => events.includes('pagepool:pause'));
      const before = chunks.length;
      await turns();
      expect(chunks.length).toBe(before);
      await until(() => {
        for (const fragment of held.splice(0)) fragment.release();
        return isDone;
      });
      for (const fragment of held) fragment.release();
      expect(await done).toBe(file.length);
      expect(Buffer.concat(chunks).equals(file)).toBe(true);
      expect(events.filter((name) => name === 'pagepool:resume').length).toBeGreaterThan(3);
      expect(events.at(-1)).toBe('pagepool:end');
      for (const name of ['pause', 'resume', 'end']) diagnostics(`pagepool:${name}`).unsubscribe(listen);
      await end();
    });
  });

  test('a promise pauses the source: one fragment at a time', async () => {
    await withPool({}, async (pool) => {
      const got = new Collector();
      let inside = 0;
      let most = 0;
      const { finished, end } = await open(
        way,
        pool,
        (socket) => socket.end(file),
        async (fragment) => {
          most = Math.max(most, ++inside);
          await turns(1);
          got.take(fragment);
          inside--;
        },
      );
      expect(await finished).toBe(file.length);
      expect(got.bytes.equals(file)).toBe(true);
      expect(most).toBe(1);
      await end();
    });
  });

  test('a connection that is reset in the middle ends with an error, and every page is back', async () => {
    await withPool({}, async (pool) => {
      const got = new Collector();
      let peer: Socket | undefined;
      const { finished, end } = await open(
        way,
        pool,
        (socket) => {
          peer = socket;
          socket.write(file.subarray(0, 1001));
        },
        got.take,
      );
      finished.catch(() => {});
      await until(() => got.bytes.length === 1001);
      // A TLS socket cannot send a reset: its connection is cut, which the other end may take for the end.
      if (way.endsWith('TLS')) peer?.destroy();
      else peer?.resetAndDestroy();
      const outcome = await finished.catch((error) => error.code);
      expect(outcome).toSatisfy((code) => code === 'ECONNRESET' || (code === 1001 && way.endsWith('TLS')));
      expectAllHome(pool);
      await end();
    });
  });

  test('what the function throws, or rejects with, ends the reading; the fragment is released', async () => {
    for (const isLate of [false, true]) {
      await withPool({}, async (pool) => {
        const { finished, socket, end } = await open(
          way,
          pool,
          (peer) => peer.end(file),
          () => {
            if (!isLate) throw new Error('not this one');
            return turns(1).then(() => Promise.reject(new Error('not this one')));
          },
        );
        await expect(finished).rejects.toThrow('not this one');
        expect(socket.destroyed).toBe(true);
        expectAllHome(pool);
        await end();
      });
    }
  });

  test('a ceiling, and a signal, end the reading', async () => {
    await withPool({}, async (pool) => {
      const got = new Collector();
      const peer = (socket: Socket) => void socket.write(file);
      const first = await open(way, pool, peer, got.take, { maxBytes: 10_000 });
      await expect(first.finished).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
      expectAllHome(pool);
      const control = new AbortController();
      const before = got.count;
      const second = await open(way, pool, peer, got.take, { signal: control.signal });
      await until(() => got.count > before);
      control.abort(new Error('enough'));
      await expect(second.finished).rejects.toThrow('enough');
      expectAllHome(pool);
      await Promise.all([first.end(), second.end()]);
    });
  });

  test('a connection that ends while the pool is empty gives everything back', async () => {
    await withPool({ pageCount: 3 }, async (pool) => {
      const held: Fragment[] = [];
      const { finished, socket, end } = await open(
        way,
        pool,
        (peer) => void peer.write(file),
        (fragment) => void held.push(fragment),
      );
      finished.catch(() => {});
      await until(() => held.length > 0 && pool.stats().pages.used === 3);
      socket.destroy();
      await expect(finished).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
      for (const fragment of held) fragment.release();
      await end();
    });
  });

  test('the other direction works, also after the end of this one', async () => {
    await withPool({}, async (pool) => {
      const got = new Collector();
      let answer = '';
      const { finished, socket, end } = await open(
        way,
        pool,
        (peer) => {
          peer.on('data', (chunk) => {
            answer += chunk;
            if (answer === 'hello') peer.end('bye');
          });
        },
        got.take,
      );
      socket.write('hello');
      expect(await finished).toBe(3);
      expect(`${got.bytes}`).toBe('bye');
      await end();
    });
  });
});

test('a half-closed connection is written to after its end, and holds no page', async () => {
  await withPool({}, async (pool) => {
    const got = new Collector();
    let heard = '';
    const server = await serveEach(
      (socket) => {
        socket.on('data', (chunk) => {
          heard += chunk;
        });
        socket.end('first');
      },
      { allowHalfOpen: true },
    );
    const { finished, socket } = connectInto(
      pool,
      { port: server.port, host: '127.0.0.1', allowHalfOpen: true },
      got.take,
    );
    expect(await finished).toBe(5);
    expectAllHome(pool);
    socket.end('second');
    await until(() => heard === 'second');
    await server.end();
  });
});

test('a port where nobody listens is an error of the promise, and every page is back', async () => {
  await withPool({}, async (pool) => {
    const server = await serveEach(() => {});
    await server.end();
    const { finished } = connectInto(pool, { port: server.port, host: '127.0.0.1' }, () => {});
    await expect(finished).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

test('connections that begin with an empty pool wait, and take turns', async () => {
  await withPool({ pageCount: 4 }, async (pool) => {
    const server = await serveEach((socket) => socket.end(file));
    const readings = Array.from({ length: 6 }, () => {
      const got = new Collector();
      return { got, ...connectInto(pool, { port: server.port, host: '127.0.0.1' }, got.take) };
    });
    for (const { got, finished } of readings) {
      expect(await finished).toBe(file.length);
      expect(got.bytes.equals(file)).toBe(true);
    }
    await server.end();
  });
});

test('a pool that closes ends its connections, and closes', async () => {
  await withPool({}, async (pool) => {
    const server = await serveEach((socket) => {
      const send = (error?: Error | null): void => void (error == null && socket.write(file, send));
      send();
    });
    const got = new Collector();
    const { finished } = connectInto(pool, { port: server.port, host: '127.0.0.1' }, got.take);
    finished.catch(() => {});
    await until(() => got.count > 0);
    pool.destroy();
    await expect(finished).rejects.toMatchObject({ code: expect.stringMatching(/POOL_ERR_(CLOSING|DESTROYED)/) });
    await server.end();
    const { isDestroyed } = await pool.close({ timeoutMs: HUNG_MS, ref: true });
    expect(isDestroyed).toBe(true);
  }).catch((error: Error) => {
    // The audit of a destroyed pool is refused: the close has said that every page is home.
    expect(error).toMatchObject({ code: 'POOL_ERR_DESTROYED' });
  });
});

describe('the accepted socket', () => {
  let server: Awaited<ReturnType<typeof serveEach>>;
  const accepted: Socket[] = [];
  beforeAll(async () => {
    server = await serveEach((socket) => void accepted.push(socket));
  });
  afterAll(() => server.end());

  test('is replaced by one that reads without a copy, and the server closes with it', async () => {
    await withPool({}, async (pool) => {
      const own = await serveEach(() => {});
      const got = new Collector();
      const reading = new Promise<SocketReading>((resolve) => {
        own.server.on('connection', (socket) => {
          const result = serveInto(pool, socket, got.take);
          expect(result.socket).not.toBe(socket);
          expect(result.socket.remotePort).toBe(client.localPort);
          resolve(result);
        });
      });
      const client = connect(own.port, '127.0.0.1');
      client.write('x');
      const { finished, socket } = await reading;
      await until(() => got.count === 1);
      const closed = new Promise((resolve) => own.server.close(resolve));
      client.end('y');
      expect(await finished).toBe(2);
      socket.end();
      await closed;
    });
  });

  test('that was read from already is copied, and keeps its identity', async () => {
    await withPool({}, async (pool) => {
      const client = connect(server.port, '127.0.0.1');
      client.write('first ');
      await until(() => accepted.length > 0);
      const socket = accepted.shift() as Socket;
      await new Promise((resolve) => socket.once('readable', resolve));
      const got = new Collector();
      const result = serveInto(pool, socket, got.take);
      expect(result.socket).toBe(socket);
      client.end('second');
      expect(await result.finished).toBe(12);
      expect(`${got.bytes}`).toBe('first second');
    });
  });
});

test('wrong arguments are refused, and take nothing', async () => {
  await withPool({}, async (pool) => {
    const code = 'POOL_ERR_INVALID_ARGUMENT';
    const cases: [unknown, unknown, unknown?][] = [
      [{ port: 1 }, 7],
      [{ port: 1 }, () => {}, { readBytes: 63 }],
      [{ port: 1 }, () => {}, { readBytes: pool.pageBytes + 1 }],
      [{ port: 1 }, () => {}, { minRoomBytes: 0 }],
      [{ port: 1 }, () => {}, { maxBytes: -1 }],
      [{ port: 1 }, () => {}, { signal: 1 }],
      [{ port: 1 }, () => {}, { direct: true }],
      [{ port: 1, onread: {} }, () => {}],
      [null, () => {}],
    ];
    for (const [target, onFragment, options] of cases) {
      expect(() => connectInto(pool, target as never, onFragment as never, options as never)).toThrow(
        expect.objectContaining({ code }),
      );
    }
    expect(() => connectInto(pool, { port: 70_000 }, () => {})).toThrow(RangeError);
    expect(() => connectInto({} as never, { port: 1 }, () => {})).toThrow(expect.objectContaining({ code }));
    expect(() => serveInto(pool, {} as never, () => {})).toThrow(expect.objectContaining({ code }));
  });
});
