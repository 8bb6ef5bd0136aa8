// pagepool/web on the streams of this Node: whatever ends a stream, and whatever becomes of its chunks meanwhile, no
// page is lost.

import { getEventListeners, once } from 'node:events';
import { type Fragment, type MemoryProvider, PagePool } from 'pagepool';
import { Packet } from 'pagepool/packet';
import { slabs } from 'pagepool/providers';
import { messagesInto, readAt, readStreamInto, sendOver, toStream, writeAt } from 'pagepool/web';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { expectAllHome } from '../support/home.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';

async function withPool(test: (pool: PagePool) => Promise<void>, options = {}): Promise<void> {
  const channels = { out: { capacity: 8 } };
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 4, channels, ...options });
  await test(pool);
  expectAllHome(pool);
  expect((await pool.close({ timeoutMs: HUNG_MS, ref: true })).isDestroyed).toBe(true);
}

/** A stream of these chunks, and why it was cancelled. */
function streamOf(...chunks: unknown[]) {
  const state: { reason?: unknown; isCancelled: boolean } = { isCancelled: false };
  const stream = new ReadableStream({
    pull(controller) {
      if (chunks.length > 0) controller.enqueue(chunks.shift());
      else controller.close();
    },
    cancel(reason) {
      state.isCancelled = true;
      state.reason = reason;
    },
  });
  return { stream, state };
}

const take = (pool: PagePool, length = 100): Fragment => {
  const fragment = pool.take(length);
  if (fragment === null) throw new Error('the pool is empty');
  return fragment;
};
/** Somebody else takes the buffer. */
const transfer = (chunk: Uint8Array) => void structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] });

describe('readStreamInto', () => {
  test('with a signal that is aborted already cancels the stream', () =>
    withPool(async (pool) => {
      const { stream, state } = streamOf(new Uint8Array(10));
      const signal = AbortSignal.abort(new Error('before'));
      await expect(readStreamInto(pool, stream as never, { signal }).next()).rejects.toThrow('before');
      expect([state.isCancelled, stream.locked]).toEqual([true, false]);
    }));

  test('keeps no page for a chunk whose buffer went away while it waited for one, and says so', () =>
    withPool(async (pool) => {
      const pages = Array.from({ length: 4 }, () => take(pool, 4096));
      const chunk = new Uint8Array(100);
      const { stream, state } = streamOf(chunk, new Uint8Array(1), new Uint8Array(1));
      const next = readStreamInto(pool, stream as never).next();
      next.catch(() => {});
      await turns(3);
      transfer(chunk);
      for (const page of pages) page.release();
      await expect(next).rejects.toThrow(TypeError);
      expect(state.isCancelled).toBe(true);
    }));

  test('takes a chunk whose buffer went away between two fragments for an error, not for its end', () =>
    withPool(async (pool) => {
      const chunk = new Uint8Array(6000);
      const { stream } = streamOf(chunk);
      const items = readStreamInto(pool, stream as never);
      (await items.next()).value?.release();
      transfer(chunk);
      await expect(items.next()).rejects.toThrow(TypeError);
    }));

  test('refuses a chunk that is none', () =>
    withPool(async (pool) => {
      const { stream, state } = streamOf(undefined, new Uint8Array(5));
      await expect(readStreamInto(pool, stream as never).next()).rejects.toMatchObject({
        code: 'POOL_ERR_INVALID_ARGUMENT',
      });
      expect(state.isCancelled).toBe(true);
    }));

  test('gives a page back that the processor cannot write to', () => {
    const dark: MemoryProvider = {
      kind: 'dark',
      readable: false,
      detachable: true,
      init: (context) => {
        const { firstPage } = context.addArea({ byteLength: 4 * context.pool.pageBytes }, 4);
        context.feed(Uint32Array.from({ length: 4 }, (_, i) => firstPage + i));
      },
      grow: () => {},
      retire: () => {},
      describe: () => ({}),
      destroy: () => {},
    };
    const provider = slabs({ slabBytes: 65536 });
    return withPool(
      async (pool) => {
        const pages: Fragment[] = [];
        const { stream } = streamOf(new Uint8Array(20 * 100));
        const readAll = async (): Promise<void> => {
          for await (const page of readStreamInto(pool, stream as never, { chunkBytes: 100 })) pages.push(page);
        };
        await expect(readAll()).rejects.toMatchObject({ code: 'POOL_ERR_UNREADABLE' });
        for (const page of pages) page.release();
      },
      { pageBytes: 16384, pageCount: 16, provider, reserve: { provider: dark, pageCount: 4 } },
    );
  });
});

describe('toStream', () => {
  test('is cancelled while it waits for a channel, which keeps what comes then', () =>
    withPool(async (pool) => {
      const out = pool.channel('out');
      const reader = (toStream(out) as ReadableStream<Uint8Array>).getReader();
      const read = reader.read();
      await turns(3);
      await reader.cancel();
      expect((await read).done).toBe(true);
      expect(out.sendFragment(take(pool))).toBe(true);
      await turns(3);
      const kept = out.receive();
      expect(kept?.length).toBe(100);
      kept?.release();
    }));

  test('is cancelled while it waits for a generator, and releases what comes then', () =>
    withPool(async (pool) => {
      let isEnded = false;
      let go = (): void => {};
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      async function* slow() {
        try {
          await gate;
          yield take(pool);
          yield take(pool);
        } finally {
          isEnded = true;
        }
      }
      const reader = (toStream(slow()) as ReadableStream<Uint8Array>).getReader();
      const read = reader.read();
      await turns(3);
      await reader.cancel();
      expect((await read).done).toBe(true);
      go();
      await until(() => isEnded);
    }));

  test('brings all of a channel, and its end', () =>
    withPool(async (pool) => {
      const out = pool.channel('out');
      for (let i = 0; i < 3; i++) out.sendFragment(take(pool));
      out.close();
      expect((await new Response(toStream(out) as ReadableStream).arrayBuffer()).byteLength).toBe(300);
    }));

  test('refuses a packet, which is iterated by its views', () =>
    withPool(async (pool) => {
      const packet = new Packet().append(take(pool));
      expect(() => toStream(packet as never)).toThrow(/expected an iterable of fragments or packets/);
      packet.release();
    }));
});

describe('a file by an access handle', () => {
  const content = new Uint8Array(300);
  const read = (into: Uint8Array, { at }: { at: number }): number => {
    const part = content.subarray(at, at + Math.min(into.length, 70)); // less than was asked for
    into.set(part);
    return part.length;
  };
  const write = (from: Uint8Array, { at }: { at: number }): number => {
    const part = from.subarray(0, 70);
    content.set(part, at);
    return part.length;
  };

  test('is written and read in as many steps as the platform likes', () =>
    withPool(async (pool) => {
      const handle = { read, write, getSize: () => content.length, flush: () => {} } as never;
      const bytes = Uint8Array.from({ length: 200 }, (_, i) => i + 1);
      expect(writeAt(handle, bytes, 50)).toBe(200);
      const fragment = readAt(pool, handle, 50, 70) as Fragment;
      expect([...fragment.bytes.subarray(0, 70)]).toEqual([...bytes.subarray(0, 70)]);
      fragment.release();
      expect(content[49]).toBe(0);
      expect(content[250]).toBe(0);
    }));

  test.each([[{ read }], [{ write }], [{}], [null], [7]])('is none: %j', (handle) => {
    expect(() => writeAt(handle as never, new Uint8Array(1), 0)).toThrow(/^writeAt failed: handle=/);
  });
});

describe('messagesInto on a socket of ws', () => {
  /** Both ends of a connection. */
  async function connect() {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
    const [[far]] = (await Promise.all([accepted, once(socket, 'open')])) as unknown as [[WebSocket]];
    const left = () => ['message', 'close'].map((event) => socket.listenerCount(event));
    const end = async (): Promise<void> => {
      for (const each of [far, socket]) each.terminate();
      server.close();
      await once(server, 'close');
    };
    return { socket, far, left, end };
  }

  test.each<[string, (far: WebSocket, control: AbortController) => void, object | undefined]>([
    ['the other side closes', (far) => far.close(), undefined],
    ['the connection breaks', (far) => far.terminate(), { message: expect.stringContaining('the connection broke') }],
    ['its signal is aborted', (_, control) => control.abort(new Error('enough')), { message: 'enough' }],
    ['too much comes at once', (far) => far.send(new Uint8Array(5000)), { code: 'POOL_ERR_MEMORY_LIMIT' }],
  ])('a loop that waits ends when %s, and leaves no listener', (_, act, failure) =>
    withPool(async (pool) => {
      const { socket, far, left, end } = await connect();
      const before = left();
      const control = new AbortController();
      const { signal } = control;
      const messages = messagesInto(pool, socket as never, { signal, maxQueuedBytes: 4000 });
      far.send('one');
      const { value } = await messages.next();
      expect((value as Packet).toBuffers().map((view) => Buffer.from(view).toString())).toEqual(['one']);
      (value as Packet).release();
      const next = messages.next();
      await turns(2);
      act(far, control);
      if (failure === undefined) expect(await next).toMatchObject({ done: true });
      else await expect(next).rejects.toMatchObject(failure);
      expect(left()).toEqual(before);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
      await until(() => socket.readyState >= socket.CLOSING);
      await end();
    }),
  );
});

/** A socket that a test plays: what it was given, and what comes. */
class PlayedSocket extends EventTarget {
  binaryType = 'blob';
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  send(bytes: Uint8Array): void {
    this.sent.push(new Uint8Array(bytes));
  }
  close(): void {
    this.readyState = 2;
  }
  receive(data: ArrayBuffer | string): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }
}

describe('sendOver', () => {
  test('sends while no more waits in the socket than is allowed, and keeps the reference where it does not', () =>
    withPool(async (pool) => {
      const socket = new PlayedSocket();
      const message = take(pool, 5);
      message.bytes.set([1, 2, 3, 4, 5]);
      const options = { maxBufferedBytes: 10 };
      socket.bufferedAmount = 11;
      expect(sendOver(socket as never, message, options)).toBe(false);
      socket.bufferedAmount = 10;
      for (const state of [0, 2, 3]) {
        socket.readyState = state;
        expect(sendOver(socket as never, message, options)).toBe(false);
      }
      socket.readyState = 1;
      expect([message.length, socket.sent]).toEqual([5, []]);
      expect(sendOver(socket as never, message, options)).toBe(true);
      expect(socket.sent).toEqual([Uint8Array.of(1, 2, 3, 4, 5)]);
      expect(() => message.bytes).toThrow(expect.objectContaining({ code: 'POOL_ERR_STALE_HANDLE' }));
      const packet = new Packet();
      packet.append(take(pool, 7));
      socket.bufferedAmount = 1024 * 1024 + 1;
      expect(sendOver(socket as never, packet)).toBe(false);
      socket.bufferedAmount--;
      expect(sendOver(socket as never, packet)).toBe(true);
    }));

  test('refuses what is no message, no socket and no limit', () =>
    withPool(async (pool) => {
      const socket = new PlayedSocket();
      using message = take(pool, 5);
      const invalid = expect.objectContaining({ code: 'POOL_ERR_INVALID_ARGUMENT' });
      for (const maxBufferedBytes of [-1, 1.5, Number.NaN, '9']) {
        expect(() => sendOver(socket as never, message, { maxBufferedBytes } as never)).toThrow(invalid);
      }
      expect(() => sendOver(socket as never, message.bytes as never)).toThrow(invalid);
      for (const other of [null, {}, { send() {} }, { addEventListener() {} }]) {
        expect(() => sendOver(other as never, message)).toThrow(invalid);
      }
      expect(socket.sent).toEqual([]);
    }));
});

describe('what waits in messagesInto', () => {
  const bytesOf = async (messages: AsyncGenerator<Packet, void, undefined>): Promise<number> => {
    const { value } = await messages.next();
    const length = (value as Packet).length;
    (value as Packet).release();
    return length;
  };

  test('is no more than is allowed, counts as it is taken, and the socket is closed behind it', () =>
    withPool(async (pool) => {
      const socket = new PlayedSocket();
      const messages = messagesInto(pool, socket as never, { maxQueuedBytes: 3000 });
      expect(socket.binaryType).toBe('arraybuffer');
      socket.receive(new ArrayBuffer(2000));
      socket.receive('a'.repeat(1000));
      expect(socket.readyState).toBe(1);
      expect([await bytesOf(messages), await bytesOf(messages)]).toEqual([2000, 1000]);
      socket.receive(new ArrayBuffer(3000));
      expect([socket.readyState, await bytesOf(messages)]).toEqual([1, 3000]);
      socket.receive(new ArrayBuffer(3001));
      expect(socket.readyState).toBe(2);
      await expect(messages.next()).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
    }));

  test('counts empty messages as well, each as some bytes', () =>
    withPool(async (pool) => {
      const socket = new PlayedSocket();
      const messages = messagesInto(pool, socket as never, { maxQueuedBytes: 10 * 64 });
      let count = 0;
      for (; socket.readyState === 1 && count < 1000; count++) socket.receive('');
      expect(count).toBe(11);
      await expect(messages.next()).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
    }));

  test('is delivered before the end, of a socket that was closed before as well', () =>
    withPool(async (pool) => {
      const socket = new PlayedSocket();
      const messages = messagesInto(pool, socket as never);
      socket.receive('last');
      socket.dispatchEvent(Object.assign(new Event('close'), { wasClean: false, code: 1006 }));
      expect(await bytesOf(messages)).toBe(4);
      await expect(messages.next()).rejects.toThrow('the connection broke, code=1006');
      const closed = Object.assign(new PlayedSocket(), { readyState: 3 });
      expect(await messagesInto(pool, closed as never).next()).toEqual({ done: true, value: undefined });
    }));
});
