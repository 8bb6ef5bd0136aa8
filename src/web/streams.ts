// Byte streams, such as the body of a fetch: read into pages, and made of pages.
//
// A BYOB read takes the buffer that it is given away, so it cannot read into a page: one staging buffer goes round, and
// each byte is copied once. No page is held while a read is under way: pages are taken for what came, and while there
// is none nothing is read.

import { toUnshared } from '../border/copies.js';
import { invalidArgument, is, reasonOf, requireInteger, requireRecord } from '../errors.js';
import type { PacketSource } from '../packet/framing.js';
import { isPacket, type Packet } from '../packet/packet.js';
import { isBytes } from '../platform/buffers.js';
import { copyBytes } from '../platform/copy.js';
import { dispose } from '../platform/symbols.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { Channel } from '../pool/channel.js';
import { portOf } from '../pool/enrolled.js';
import type { Fragment } from '../pool/fragment.js';
import type { WaitOptions } from '../port/waiting.js';
import type { ByteStreamOf } from './platform-types.js';
import { fillRoom } from './room.js';

/** How to read a stream. */
export interface StreamOptions extends Pick<WaitOptions, 'signal' | 'timeoutMs'> {
  /** Bytes of a fragment at most; a page if not given. */
  chunkBytes?: number | undefined;
}

type Reader = ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array>;

/**
 * What the stream brings, fragment by fragment, which the loop's body releases. Waits while the pool is empty, and the
 * stream with it. A loop that ends early, and whatever fails, cancels the stream.
 *
 * @throws PagePoolError POOL_ERR_TIMEOUT when there was no page in `timeoutMs`; an aborted signal's reason; what the
 *   stream fails with
 */
export function readStreamInto(
  pool: AttachedPool,
  stream: ByteStreamOf,
  options?: StreamOptions,
): AsyncGenerator<Fragment, void, undefined> {
  portOf('readStreamInto', pool);
  const names = ['chunkBytes', 'signal', 'timeoutMs'];
  const given = requireRecord('readStreamInto', 'options', options ?? {}, names) as StreamOptions;
  const { chunkBytes = pool.pageBytes, ...wait } = given;
  requireInteger('readStreamInto', 'chunkBytes', chunkBytes, 1, pool.pageBytes);
  const source = stream as ReadableStream<Uint8Array> | null;
  if (typeof source?.getReader !== 'function' || source.locked) {
    throw invalidArgument('readStreamInto', 'stream', stream, 'a ReadableStream that nobody reads');
  }
  return readThrough(pool, source, chunkBytes, wait);
}

async function* readThrough(
  pool: AttachedPool,
  stream: ReadableStream<Uint8Array>,
  chunkBytes: number,
  wait: WaitOptions,
): AsyncGenerator<Fragment, void, undefined> {
  const { reader, read } = openReader(stream, chunkBytes);
  let isOver = false;
  // A read that is under way ends with the cancel.
  const abort = (): void => void reader.cancel(wait.signal?.reason).catch(() => {});
  wait.signal?.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      wait.signal?.throwIfAborted();
      const chunk = await read();
      wait.signal?.throwIfAborted();
      if (chunk === undefined) {
        isOver = true;
        return;
      }
      // Asked for once: a chunk whose buffer somebody takes away meanwhile is an error, not a shorter chunk.
      const bytes = chunk.length;
      for (let at = 0; at < bytes; at += chunkBytes) {
        const length = Math.min(chunkBytes, bytes - at);
        yield fillRoom(await pool.takeAsync(length, wait), (fragment) => {
          copyBytes(fragment.bytes, new Uint8Array(chunk.buffer, chunk.byteOffset + at, length));
          return fragment;
        });
      }
    }
  } finally {
    wait.signal?.removeEventListener('abort', abort);
    if (!isOver) await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

/** A reader that fills one buffer again and again, where the stream is one of bytes; else one that takes what comes. */
function openReader(
  stream: ReadableStream<Uint8Array>,
  chunkBytes: number,
): { reader: Reader; read: () => Promise<Uint8Array | undefined> } {
  let byob: ReadableStreamBYOBReader | undefined;
  try {
    byob = stream.getReader({ mode: 'byob' });
  } catch {
    // Not a stream of bytes: its chunks come in buffers of their own.
  }
  if (byob === undefined) {
    const reader = stream.getReader();
    const read = async (): Promise<Uint8Array | undefined> => {
      const { value, done } = await reader.read();
      return done ? undefined : requireBytes(value);
    };
    return { reader, read };
  }
  const reader = byob;
  let staging = new ArrayBuffer(chunkBytes);
  return {
    reader,
    read: async () => {
      const { value, done } = await reader.read(new Uint8Array(staging));
      if (value === undefined) return undefined;
      staging = value.buffer;
      return done ? undefined : value;
    },
  };
}

function requireBytes(chunk: unknown): Uint8Array {
  if (isBytes(chunk)) return chunk;
  throw invalidArgument('readStreamInto', 'chunk', chunk, 'a Uint8Array', 'read a stream of bytes');
}

/**
 * A stream of what the source brings, for a `fetch` body or a `Response`: each fragment or packet is copied once and
 * released. Nothing is read before somebody reads. A cancel ends the source, also while somebody waits for its next
 * item: a channel keeps that one.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the source is none of fragments or packets
 */
export function toStream(source: PacketSource): ByteStreamOf {
  // A packet can be iterated too, but over its views.
  const isSource = is(
    () =>
      typeof source === 'object' &&
      source !== null &&
      !isPacket(source) &&
      !ArrayBuffer.isView(source) &&
      (Symbol.asyncIterator in source || Symbol.iterator in source),
  );
  if (!isSource) throw invalidArgument('toStream', 'source', source, 'an iterable of fragments or packets');
  const items = itemsFrom(source);
  let isCancelled = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await items.next();
        if (done === true) {
          if (!isCancelled) controller.close();
          return;
        }
        try {
          if (!isCancelled) controller.enqueue(toUnshared(value));
        } catch (error) {
          void items.end().catch(() => {});
          throw error;
        } finally {
          value[dispose]();
        }
      },
      async cancel() {
        isCancelled = true;
        await items.end();
      },
    },
    { highWaterMark: 0 },
  );
  return stream as ByteStreamOf;
}

type Item = Fragment | Packet;

/** The source's items, one after the other, and its end, which does not wait for the item that somebody waits for. */
interface Items {
  next(): Promise<{ readonly value: Item; readonly done?: false } | { readonly value?: unknown; readonly done: true }>;
  end(): Promise<unknown>;
}

/** The source's items; an iterable that fails at once is none. */
function itemsFrom(source: PacketSource): Items {
  try {
    return itemsOf(source);
  } catch (cause) {
    throw invalidArgument('toStream', 'source', source, 'an iterable of fragments or packets', reasonOf(cause));
  }
}

function itemsOf(source: PacketSource): Items {
  // A channel's own wait can be ended, and what comes then is for whoever receives next.
  if (source instanceof Channel) return itemsOfChannel(source);
  const items = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let isWaiting = false;
  return {
    async next() {
      isWaiting = true;
      try {
        return (await items.next()) as Awaited<ReturnType<Items['next']>>;
      } finally {
        isWaiting = false;
      }
    },
    async end() {
      const ended = Promise.resolve(items.return?.());
      // A generator that waits ends behind that.
      if (isWaiting) ended.catch(() => {});
      else await ended;
    },
  };
}

function itemsOfChannel(channel: Channel): Items {
  const ending = new AbortController();
  return {
    async next() {
      const value = await channel.next({ signal: ending.signal });
      return value === null ? { done: true } : { value };
    },
    async end() {
      ending.abort();
    },
  };
}
