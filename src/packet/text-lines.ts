// textLines: the lines of a stream as strings, an array for each piece that came.
//
// A piece is decoded whole and split whole, which costs a tenth of decoding each line by itself; the array costs one
// promise for all of its lines. What the source delivers is released as soon as it is decoded.

import { invalidArgument, PagePoolError, requireInteger, requireRecord } from '../errors.js';
import { isBytes } from '../platform/buffers.js';
import { dispose } from '../platform/symbols.js';
import { Channel } from '../pool/channel.js';
import { type Fragment, isFragment } from '../pool/fragment.js';
import { isPacket, type Packet } from './packet.js';
import { StreamDecoder } from './text.js';

/** What brings text: the references of fragments and packets move to `textLines`, one by one as they come. */
export type TextPiece = Fragment | Packet | Uint8Array | string;
/** Where the text comes from: a channel, a stream of the platform, or anything that can be iterated. */
export type TextSource = Channel | AsyncIterable<TextPiece> | Iterable<TextPiece> | TextStream;

/** What is used of a ReadableStream, where it cannot be iterated. */
export interface TextStream {
  getReader(): {
    read(): Promise<{ done: boolean; value?: TextPiece | undefined }>;
    cancel(): Promise<unknown>;
    releaseLock(): void;
  };
}

/** How long a line may be. */
export interface TextLinesOptions {
  /** UTF-16 units of a line at most, as `String.length` counts them; 1,048,576 if not given. */
  maxLength?: number | undefined;
}

const MAX_LENGTH = 1024 * 1024;
/** Lines from which on no further piece of a channel is added to an array. */
const LINES_WANTED = 1024;
const BYTE_ORDER_MARK = 0xfeff;

/**
 * The lines of a text in UTF-8, without the `\n` or `\r\n` that ends each; the last one may have none. Each turn of the
 * loop gets the lines that one piece of the source has ended, at least one. The source may be cut anywhere. Bytes that
 * are no text become U+FFFD; a byte order mark at the start is dropped.
 *
 * Fragments and packets are released as soon as they are decoded, and the lines are the caller's own. Whatever ends the
 * loop ends the source.
 *
 * @throws PagePoolError POOL_ERR_MEMORY_LIMIT when a line is longer than `maxLength`, after the lines before it;
 *   POOL_ERR_INVALID_ARGUMENT when the source brings something else; what the source throws
 * @example
 * for await (const lines of textLines(process.stdin)) {
 *   for (const line of lines) if (line.includes('error')) count++;
 * }
 */
export function textLines(source: TextSource, options?: TextLinesOptions): AsyncGenerator<string[], void, undefined> {
  const given = requireRecord('textLines', 'options', options ?? {}, ['maxLength']) as TextLinesOptions;
  const { maxLength = MAX_LENGTH } = given;
  requireInteger('textLines', 'maxLength', maxLength, 1, Number.MAX_SAFE_INTEGER);
  const pieces = piecesOf(source);
  if (pieces === undefined) {
    const rule = 'a channel, a stream, or an iterable of fragments, packets, Uint8Arrays or strings';
    throw invalidArgument('textLines', 'source', source, rule);
  }
  return cut(pieces, new LineCutter(maxLength), source instanceof Channel ? source : undefined);
}

type Pieces = AsyncIterable<TextPiece> | Iterable<TextPiece>;

function piecesOf(source: unknown): Pieces | undefined {
  if (typeof source !== 'object' || source === null) return undefined;
  if (Symbol.asyncIterator in source || Symbol.iterator in source) return source as Pieces;
  return typeof (source as Partial<TextStream>).getReader === 'function' ? read(source as TextStream) : undefined;
}

/** A stream of the web, where the platform does not iterate it. */
async function* read(stream: TextStream): AsyncGenerator<TextPiece, void, undefined> {
  const reader = stream.getReader();
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isOver = done;
      if (done) return;
      yield value as TextPiece;
    }
  } finally {
    if (!isOver) await reader.cancel();
    reader.releaseLock();
  }
}

async function* cut(
  pieces: Pieces,
  cutter: LineCutter,
  channel: Channel | undefined,
): AsyncGenerator<string[], void, undefined> {
  for await (const piece of pieces) {
    take(cutter, piece);
    // What waits in a channel already costs no promise of its own.
    while (channel !== undefined && cutter.wantsMore) {
      const more = channel.receive();
      if (more === null) break;
      take(cutter, more);
    }
    if (cutter.lines > 0) yield cutter.collect();
    cutter.check();
  }
  cutter.end();
  if (cutter.lines > 0) yield cutter.collect();
  cutter.check();
}

/** Adds a piece; its references are released, whatever becomes of it. */
function take(cutter: LineCutter, piece: TextPiece): void {
  if (typeof piece === 'string') cutter.text(piece);
  else if (isBytes(piece)) cutter.bytes(piece);
  else if (isFragment(piece) || isPacket(piece)) {
    try {
      if (isFragment(piece)) cutter.bytes(piece.bytes);
      else for (const view of piece) cutter.bytes(view);
    } finally {
      piece[dispose]();
    }
  } else throw invalidArgument('textLines', 'piece', piece, 'a Fragment, a Packet, a Uint8Array or a string');
}

/** Lines out of text that is cut anywhere. */
class LineCutter {
  readonly #maxLength: number;
  readonly #decoder = new StreamDecoder();
  /** The line that has not ended, in the pieces in which it came. */
  #open: string[] = [];
  #openLength = 0;
  #lines: string[] = [];
  #hasBegun = false;
  #tooLong = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** Lines that have ended and were not collected. */
  get lines(): number {
    return this.#lines.length;
  }

  /** Whether more pieces may come before the lines are collected. */
  get wantsMore(): boolean {
    return this.#lines.length < LINES_WANTED && this.#tooLong === 0;
  }

  bytes(bytes: Uint8Array): void {
    if (this.#tooLong === 0) this.#add(this.#decoder.push(bytes));
  }

  /** Text that is decoded already. */
  text(text: string): void {
    if (this.#tooLong !== 0) return;
    this.#add(this.#decoder.end());
    this.#add(text);
  }

  #add(added: string): void {
    if (added === '') return;
    const text = this.#hasBegun || added.charCodeAt(0) !== BYTE_ORDER_MARK ? added : added.slice(1);
    this.#hasBegun = true;
    const lines = text.split('\n');
    const last = lines.pop() as string;
    if (lines.length > 0) {
      if (this.#openLength > 0) {
        lines[0] = this.#open.join('') + lines[0];
        this.#open = [];
        this.#openLength = 0;
      }
      if (text.includes('\r') || lines[0]?.endsWith('\r')) {
        for (let i = 0; i < lines.length; i++) lines[i] = withoutReturn(lines[i] as string);
      }
      const bad = text.length + (lines[0] as string).length > this.#maxLength ? this.#findLong(lines) : -1;
      if (bad >= 0) lines.length = bad;
      // Most pieces are collected before the next one comes.
      if (this.#lines.length === 0) this.#lines = lines;
      else for (const line of lines) this.#lines.push(line);
      if (bad >= 0) return;
    }
    if (last === '') return;
    this.#open.push(last);
    this.#openLength += last.length;
    // A \r may belong to the line's end.
    const least = this.#openLength - (last.endsWith('\r') ? 1 : 0);
    if (least > this.#maxLength) this.#tooLong = least;
  }

  #findLong(lines: readonly string[]): number {
    const bad = lines.findIndex(({ length }) => length > this.#maxLength);
    if (bad >= 0) this.#tooLong = (lines[bad] as string).length;
    return bad;
  }

  /** The source has ended: what is left is a line. */
  end(): void {
    if (this.#tooLong !== 0) return;
    this.#add(this.#decoder.end());
    if (this.#openLength === 0 || this.#tooLong !== 0) return;
    if (this.#openLength > this.#maxLength) this.#tooLong = this.#openLength;
    else this.#lines.push(this.#open.join(''));
  }

  /** The lines that have ended. */
  collect(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** Throws when a line was too long; those before it were collected. */
  check(): void {
    if (this.#tooLong === 0) return;
    throw new PagePoolError(
      'POOL_ERR_MEMORY_LIMIT',
      `textLines failed: line length=${this.#tooLong} (expected at most maxLength=${this.#maxLength}); end the source, or allow longer lines`,
    );
  }
}

function withoutReturn(line: string): string {
  return line.charCodeAt(line.length - 1) === 13 ? line.slice(0, -1) : line;
}
