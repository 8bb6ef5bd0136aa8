// The calls at the border: bytes of pages for APIs of the platform, with one copy where the view would be refused or
// could become other bytes, and none where it is taken.
//
// Which is which was found out by trying (known.ts). The source's reference stays the caller's. Any thread; what is
// kept is this thread's: a scratch of 16 KiB and a decoder.

import { invalidArgument, requireRecord } from '../errors.js';
import { copyBytes } from '../platform/copy.js';
import { apis, copiesFor, copiesForSure, isApi } from './known.js';
import { builtin } from './platform.js';
import { type ByteSource, copyOf, isShared, type OwnBytes, windowsOf } from './source.js';
import type { BorderApi } from './verdict.js';

/** How to decode. */
export interface DecodeOptions {
  /** A label that `TextDecoder` knows; `'utf-8'` if not given. */
  encoding?: string | undefined;
  /** Whether bytes that are no text throw a TypeError; they become U+FFFD if not given. */
  fatal?: boolean | undefined;
}

/** What `digest` computes. */
export type DigestAlgorithm = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

const ALGORITHMS: readonly string[] = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] satisfies DigestAlgorithm[];
const SCRATCH_BYTES = 16 * 1024;

let scratch: Uint8Array | undefined;
let decoder: TextDecoder | undefined;

/**
 * The bytes in memory of this thread alone, for who wants to keep or transfer them. Always one copy: it is the
 * caller's, and the fragment may be released.
 *
 * @throws PagePoolError POOL_ERR_STALE_HANDLE when the fragment was released; POOL_ERR_UNREADABLE when the processor
 *   cannot see it
 */
export function toUnshared(source: ByteSource): OwnBytes {
  return copyOf(windowsOf('toUnshared', source));
}

/**
 * The bytes as text, the same however they are cut into windows. No copy where `TextDecoder` takes the memory; else
 * through a scratch of 16 KiB, so that nothing is allocated but the text. A packet of several windows in an encoding of
 * several bytes a character that is not UTF is copied together first.
 *
 * @throws TypeError with `fatal` when the bytes are no text; RangeError when no such encoding is known
 */
export function decodeText(source: ByteSource, options?: DecodeOptions): string {
  const given = requireRecord('decodeText', 'options', options ?? {}, ['encoding', 'fatal']);
  const { encoding = 'utf-8', fatal = false } = given as { encoding?: unknown; fatal?: unknown };
  if (typeof encoding !== 'string')
    throw invalidArgument('decodeText', 'encoding', encoding, 'the label of an encoding');
  if (typeof fatal !== 'boolean') throw invalidArgument('decodeText', 'fatal', fatal, 'a boolean');
  const windows = windowsOf('decodeText', source);
  if (typeof TextDecoder !== 'function') {
    throw invalidArgument('decodeText', 'TextDecoder', undefined, 'a realm that has it', 'decode in another thread');
  }
  if (decoder?.fatal !== fatal || decoderLabel !== encoding) {
    decoder = new TextDecoder(encoding, { fatal });
    decoderLabel = encoding;
  }
  try {
    return decodeWith(decoder, windows);
  } catch (error) {
    decoder = undefined; // it may be left in the middle of a character
    throw error;
  }
}

let decoderLabel = '';

/** Encodings of several bytes a character whose decoders Node loses count of when they get their bytes in pieces. */
const JOINED: ReadonlySet<string> = new Set(['big5', 'euc-jp', 'euc-kr', 'gb18030', 'gbk', 'iso-2022-jp', 'shift_jis']);

/**
 * The same text however the bytes are cut. In one piece Node 20 to 24 decode windows-1252 (latin1, ascii) as
 * ISO-8859-1, so only UTF-8 is decoded in one go; in pieces their decoders of Asian encodings throw, so those get their
 * bytes together.
 */
function decodeWith(decoder: TextDecoder, windows: readonly Uint8Array[]): string {
  const [only] = windows;
  const copies = copiesFor('TextDecoder.decode');
  const isOne = only !== undefined && windows.length === 1 && !(copies && isShared(only));
  if (isOne && decoder.encoding === 'utf-8') return decoder.decode(only);
  if (!isOne && JOINED.has(decoder.encoding)) return decodePieces(decoder, [copyOf(windows)], false);
  return decodePieces(decoder, windows, copies);
}

function decodePieces(decoder: TextDecoder, windows: readonly Uint8Array[], copies: boolean): string {
  let text = '';
  for (const window of windows) {
    if (!(copies && isShared(window))) {
      text += decoder.decode(window, { stream: true });
      continue;
    }
    scratch ??= new Uint8Array(SCRATCH_BYTES);
    for (let at = 0; at < window.length; at += SCRATCH_BYTES) {
      const length = Math.min(SCRATCH_BYTES, window.length - at);
      copyBytes(scratch, length === window.length ? window : window.subarray(at, at + length));
      text += decoder.decode(scratch.subarray(0, length), { stream: true });
    }
  }
  return text + decoder.decode();
}

/**
 * The digest of the bytes. No copy where Node's `createHash` or `crypto.subtle` takes the memory. Keep the fragment
 * until the promise is settled.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for another algorithm, or in a realm that has no digests (an insecure
 *   page)
 */
export async function digest(source: ByteSource, algorithm: DigestAlgorithm = 'SHA-256'): Promise<OwnBytes> {
  if (!ALGORITHMS.includes(algorithm)) {
    throw invalidArgument('digest', 'algorithm', algorithm, ALGORITHMS.join(', '));
  }
  const windows = windowsOf('digest', source);
  if (!copiesFor('crypto.createHash')) {
    const hash = builtin('node:crypto').createHash(algorithm.replace('-', '').toLowerCase());
    for (const window of windows) hash.update(window);
    return Uint8Array.from(hash.digest());
  }
  const { crypto } = globalThis as { crypto?: { subtle?: typeof globalThis.crypto.subtle } };
  if (crypto?.subtle === undefined) {
    throw invalidArgument('digest', 'crypto.subtle', undefined, 'a realm that has it', 'serve the page over https');
  }
  const [only] = windows;
  const isWhole = only !== undefined && windows.length === 1;
  const isOwn = isWhole && (!isShared(only) || !(await copiesForSure('crypto.subtle.digest')));
  // The copy is taken before anything is awaited again: the API reads its own from here on.
  const bytes = isOwn ? (only as OwnBytes) : copyOf(windows);
  return new Uint8Array(await crypto.subtle.digest(algorithm, bytes));
}

/**
 * The bytes as `api` takes them: the fragment's own view where the API takes that, else one copy. A packet of several
 * windows is copied together. Where it is the view, keep the fragment until the API is done with it: its callback, its
 * promise, or for those without either the return of the call.
 *
 * What is not known yet is copied: `await capabilities()` once to know all of it.
 *
 * @param api what the bytes are for; the strictest if not given
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when no API of that name is known
 */
export function sendable(source: ByteSource, api: BorderApi = 'WebSocket.send'): OwnBytes {
  if (!isApi(api)) throw invalidArgument('sendable', 'api', api, `one of ${apis.join(', ')}`);
  return sendableBy('sendable', source, api);
}

/** The same, for the package's other calls. */
export function sendableBy(call: string, source: ByteSource, api: BorderApi): OwnBytes {
  const windows = windowsOf(call, source);
  const [only] = windows;
  const isTaken = only !== undefined && windows.length === 1 && !copiesFor(api);
  return isTaken ? (only as OwnBytes) : copyOf(windows);
}
