// Framing: messages out of a stream of fragments or packets, wherever the stream's own pieces end.
//
// A message is a packet that shares the fragments its bytes came in: no copy. What came and is not a whole message yet
// waits in a packet of its own; a ceiling bounds it in bytes, and small pieces are copied together (each byte once) so
// that it does not keep a page for every few bytes. Whatever ends the loop, every reference that is not in a message
// the caller has goes back.

import { invalidArgument, PagePoolError, requireInteger, requireRecord } from '../errors.js';
import { outerEntrances } from '../leaks/call-stack.js';
import { dispose } from '../platform/symbols.js';
import type { Fragment } from '../pool/fragment.js';
import { cutFront, mergeSmall, Packet } from './packet.js';
import { patternOf } from './search.js';

/** What arrives: its references move to the framing, one by one as they come. */
export type PacketSource = AsyncIterable<Fragment | Packet> | Iterable<Fragment | Packet>;

/** How long a message may be. */
export interface FramingOptions {
  /** Bytes of a message at most, 1 MiB if not given: a longer one, or one that does not end, is an error. */
  maxBytes?: number | undefined;
}

/** How the length in front of a message is written. */
export interface LengthPrefixOptions extends FramingOptions {
  /** Bytes of the length: 1, 2 or 4; 4 if not given. */
  prefixBytes?: 1 | 2 | 4 | undefined;
  /** Whether its first byte is the lowest; false if not given, as on the network. */
  littleEndian?: boolean | undefined;
}

const MAX_BYTES = 1024 * 1024;
/**
 * Pieces of a message under way from which on small ones are copied together: as many as one channel message has at
 * most.
 */
const PIECES = 32;

/** Where the next message is in what has come: bytes before it, its own, and those behind it that belong to it. */
interface Cut {
  readonly skip: number;
  readonly length: number;
  readonly drop: number;
}

/** Finds the next message, or returns that more must come. */
interface Framing {
  readonly call: string;
  readonly maxBytes: number;
  next(buffer: Packet): Cut | undefined;
  /** The last message, when nothing more comes; it may throw. */
  last(buffer: Packet): Cut | undefined;
}

/**
 * The lines of a stream, without the `\n` or `\r\n` that ends each; the last one may have none. The loop's body
 * releases them.
 *
 * @throws PagePoolError POOL_ERR_MEMORY_LIMIT when a line is longer than `maxBytes`; every page is back then
 * @example
 * for await (using line of lines(packets(channel))) count += line.length;
 */
export function lines(source: PacketSource, options?: FramingOptions): AsyncIterableIterator<Packet> {
  const maxBytes = requireMaxBytes('lines', requireRecord('lines', 'options', options ?? {}, ['maxBytes']));
  return frame(source, new Delimited('lines', Uint8Array.of(10), maxBytes, true));
}

/**
 * The messages of a stream that end with a delimiter (a byte, a string as UTF-8, or bytes), without it; the last one
 * may have none. The loop's body releases them.
 *
 * @throws PagePoolError POOL_ERR_MEMORY_LIMIT when a message is longer than `maxBytes`; every page is back then
 */
export function delimited(
  source: PacketSource,
  delimiter: number | string | Uint8Array,
  options?: FramingOptions,
): AsyncIterableIterator<Packet> {
  const pattern = patternOf(delimiter);
  if (pattern === undefined || pattern.length === 0) {
    throw invalidArgument('delimited', 'delimiter', delimiter, 'a byte, a string or a Uint8Array that is not empty');
  }
  const maxBytes = requireMaxBytes('delimited', requireRecord('delimited', 'options', options ?? {}, ['maxBytes']));
  // A copy, which a Buffer's slice() is not: what the caller passed may change while the stream goes on.
  return frame(source, new Delimited('delimited', new Uint8Array(pattern), maxBytes, false));
}

/**
 * The messages of a stream that each begin with their length, without it. The loop's body releases them.
 *
 * @throws PagePoolError POOL_ERR_MEMORY_LIMIT when a length is more than `maxBytes`; POOL_ERR_INVALID_ARGUMENT when the
 *   stream ends inside a message; every page is back then
 */
export function lengthPrefixed(source: PacketSource, options?: LengthPrefixOptions): AsyncIterableIterator<Packet> {
  const names = ['maxBytes', 'prefixBytes', 'littleEndian'];
  const given = requireRecord('lengthPrefixed', 'options', options ?? {}, names) as LengthPrefixOptions;
  const { prefixBytes = 4, littleEndian = false } = given;
  if (prefixBytes !== 1 && prefixBytes !== 2 && prefixBytes !== 4) {
    throw invalidArgument('lengthPrefixed', 'prefixBytes', prefixBytes, '1, 2 or 4');
  }
  if (typeof littleEndian !== 'boolean') {
    throw invalidArgument('lengthPrefixed', 'littleEndian', littleEndian, 'a boolean');
  }
  return frame(source, new LengthPrefixed(requireMaxBytes('lengthPrefixed', given), prefixBytes, littleEndian));
}

function requireMaxBytes(call: string, { maxBytes = MAX_BYTES }: FramingOptions): number {
  requireInteger(call, 'maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER);
  return maxBytes;
}

function frame(source: PacketSource, framing: Framing): AsyncIterableIterator<Packet> {
  return new Frames(source, framing);
}

type Pieces = AsyncIterator<Fragment | Packet> | Iterator<Fragment | Packet>;

const END: IteratorReturnResult<undefined> = { value: undefined, done: true };

/**
 * The messages of a source. By hand and not as an async generator, which takes twice as long for each message: one that
 * is there already is returned in a promise that is settled.
 */
class Frames implements AsyncIterableIterator<Packet> {
  readonly #framing: Framing;
  readonly #buffer = new Packet();
  readonly #source: PacketSource;
  /** The source's own iterator, once it was asked for. */
  #pieces: Pieces | undefined;
  /** The calls under way: each waits for the one before. */
  #last: Promise<IteratorResult<Packet, undefined>> | undefined;
  #isOver = false;

  constructor(source: PacketSource, framing: Framing) {
    this.#source = source;
    this.#framing = framing;
    if (!outerEntrances.includes(this.next)) outerEntrances.push(this.next);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Packet, undefined>> {
    if (this.#last !== undefined || this.#isOver) return this.#after(() => this.#advance());
    try {
      const message = this.#cut();
      if (message !== undefined) return Promise.resolve({ value: message, done: false });
    } catch (error) {
      return this.#after(() => this.#fail(error));
    }
    return this.#after(() => this.#advance());
  }

  /** Ends the source and releases what is not in a message yet. */
  return(): Promise<IteratorResult<Packet, undefined>> {
    return this.#after(async () => {
      await this.#end();
      return END;
    });
  }

  /** Runs a step when those before it are over. */
  #after(step: () => Promise<IteratorResult<Packet, undefined>>): Promise<IteratorResult<Packet, undefined>> {
    const call = this.#last === undefined ? step() : this.#last.then(step, step);
    this.#last = call;
    const done = (): void => {
      if (this.#last === call) this.#last = undefined;
    };
    call.then(done, done);
    return call;
  }

  /** Reads on until a message is there. */
  async #advance(): Promise<IteratorResult<Packet, undefined>> {
    try {
      while (!this.#isOver) {
        const ready = this.#cut();
        if (ready !== undefined) return { value: ready, done: false };
        this.#pieces ??= iteratorOf(this.#source);
        const piece = await this.#next(this.#pieces);
        if (piece.done !== true) {
          this.#take(piece.value);
          continue;
        }
        this.#isOver = true; // the source has ended by itself
        const cut = this.#framing.last(this.#buffer);
        const rest = cut === undefined ? undefined : message(this.#buffer, this.#framing, cut);
        this.#buffer[dispose](); // an empty piece may be left
        if (rest !== undefined) return { value: rest, done: false };
      }
      return END;
    } catch (error) {
      return this.#fail(error);
    }
  }

  async #next(pieces: Pieces): Promise<IteratorResult<Fragment | Packet>> {
    try {
      return await pieces.next();
    } catch (error) {
      this.#isOver = true; // a source that failed has ended
      throw error;
    }
  }

  #take(piece: Fragment | Packet): void {
    const before = this.#buffer.parts;
    take(this.#buffer, piece);
    // Small pieces are copied together only where no message is ready: what is returned shares what was read.
    if (this.#buffer.parts > PIECES && this.#framing.next(this.#buffer) === undefined) {
      mergeSmall(this.#buffer, Math.max(before, PIECES));
    }
  }

  /** The next message, where it is there. */
  #cut(): Packet | undefined {
    const cut = this.#isOver ? undefined : this.#framing.next(this.#buffer);
    return cut === undefined ? undefined : message(this.#buffer, this.#framing, cut);
  }

  async #fail(error: unknown): Promise<never> {
    try {
      await this.#end();
    } catch {
      // What failed first is what the caller gets.
    }
    throw error;
  }

  async #end(): Promise<void> {
    this.#buffer[dispose]();
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#pieces?.return?.();
  }
}

function iteratorOf(source: PacketSource): Pieces {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/** Appends what was read; what does not fit is released before the error is thrown. */
function take(buffer: Packet, item: Fragment | Packet): void {
  try {
    buffer.append(item);
  } catch (error) {
    item?.[dispose]?.();
    throw error;
  }
}

function message(buffer: Packet, { call, maxBytes }: Framing, { skip, length, drop }: Cut): Packet {
  if (length > maxBytes) throw tooLong(call, length, maxBytes);
  return cutFront(buffer, skip, length, drop);
}

function tooLong(call: string, length: number, maxBytes: number): PagePoolError {
  return new PagePoolError(
    'POOL_ERR_MEMORY_LIMIT',
    `${call} failed: message bytes=${length} (expected at most maxBytes=${maxBytes}); end the connection, or allow longer messages`,
  );
}

class Delimited implements Framing {
  readonly call: string;
  readonly maxBytes: number;
  readonly #pattern: Uint8Array;
  readonly #value: number | Uint8Array;
  readonly #isLine: boolean;
  /** Bytes at the front that have no delimiter beginning in them. */
  #searched = 0;

  constructor(call: string, pattern: Uint8Array, maxBytes: number, isLine: boolean) {
    this.call = call;
    this.maxBytes = maxBytes;
    this.#pattern = pattern;
    this.#value = pattern.length === 1 ? (pattern[0] as number) : pattern;
    this.#isLine = isLine;
  }

  next(buffer: Packet): Cut | undefined {
    const { length } = this.#pattern;
    const at = buffer.indexOf(this.#value, this.#searched);
    if (at !== -1) {
      this.#searched = 0;
      const end = this.#isLine && at > 0 && buffer.getUint8(at - 1) === 13 ? at - 1 : at;
      return { skip: 0, length: end, drop: at + length - end };
    }
    this.#searched = Math.max(0, buffer.length - length + 1);
    // A delimiter may have begun, and a line may have its \r.
    const least = this.#searched - (this.#isLine ? 1 : 0);
    if (least > this.maxBytes) throw tooLong(this.call, least, this.maxBytes);
    return undefined;
  }

  last(buffer: Packet): Cut | undefined {
    return buffer.length > 0 ? { skip: 0, length: buffer.length, drop: 0 } : undefined;
  }
}

class LengthPrefixed implements Framing {
  readonly call = 'lengthPrefixed';
  readonly maxBytes: number;
  readonly #prefixBytes: 1 | 2 | 4;
  readonly #littleEndian: boolean;

  constructor(maxBytes: number, prefixBytes: 1 | 2 | 4, littleEndian: boolean) {
    this.maxBytes = maxBytes;
    this.#prefixBytes = prefixBytes;
    this.#littleEndian = littleEndian;
  }

  next(buffer: Packet): Cut | undefined {
    if (buffer.length < this.#prefixBytes) return undefined;
    const length = this.#lengthIn(buffer);
    if (length > this.maxBytes) throw tooLong(this.call, length, this.maxBytes);
    return buffer.length < this.#prefixBytes + length ? undefined : { skip: this.#prefixBytes, length, drop: 0 };
  }

  #lengthIn(buffer: Packet): number {
    if (this.#prefixBytes === 1) return buffer.getUint8(0);
    return this.#prefixBytes === 2 ? buffer.getUint16(0, this.#littleEndian) : buffer.getUint32(0, this.#littleEndian);
  }

  last(buffer: Packet): undefined {
    if (buffer.length === 0) return;
    throw invalidArgument(
      this.call,
      'bytes after the last message',
      buffer.length,
      '0: a stream of whole messages',
      'the stream ended too early',
    );
  }
}
