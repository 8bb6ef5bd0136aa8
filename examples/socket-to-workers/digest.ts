// The digest of a stream cut into records: every byte and every record's number count, the order of arrival does not.
//
// A record's hash runs over 16 bytes a step in four independent lanes, so that hashing is cheap beside handing over.
// Any number of workers may each hash some of the records; merging their digests gives the digest of the whole stream.

import { blockBytes, recordEnd } from './grid.js';

/** What one thread saw of the stream, or all of them together. */
export interface Digest {
  /** Wrapped 32-bit sum and exclusive or of the records' hashes. */
  sum: number;
  xor: number;
  records: number;
  bytes: number;
}

export const emptyDigest = (): Digest => ({ sum: 0, xor: 0, records: 0, bytes: 0 });

/** Hashes one record and adds it under its number. `at` needs no alignment. */
export function addRecord(digest: Digest, tag: number, view: DataView, at: number, length: number): void {
  const hash = scramble(hashBytes(view, at, length) ^ Math.imul(tag + 1, 0x9e3779b1));
  digest.sum = (digest.sum + hash) | 0;
  digest.xor ^= scramble(hash ^ tag);
  digest.records += 1;
  digest.bytes += length;
}

/** The digest of both parts. */
export function mergeDigests(a: Digest, b: Digest): Digest {
  return {
    sum: (a.sum + b.sum) | 0,
    xor: a.xor ^ b.xor,
    records: a.records + b.records,
    bytes: a.bytes + b.bytes,
  };
}

export function formatDigest(digest: Digest): string {
  const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
  return `${hex(digest.sum)}${hex(digest.xor)} (${digest.records} records, ${digest.bytes} bytes)`;
}

/** The digest that a stream of these bytes must have when it is cut into records of `recordBytes`. */
export function digestOf(bytes: Uint8Array, recordBytes: number): Digest {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const digest = emptyDigest();
  for (let block = 0, tag = 0; block < bytes.length; block += blockBytes) {
    const filled = Math.min(blockBytes, bytes.length - block);
    for (let at = 0; at < filled; tag++) {
      const end = Math.min(recordEnd(at, recordBytes), filled);
      addRecord(digest, tag, view, block + at, end - at);
      at = end;
    }
  }
  return digest;
}

function hashBytes(view: DataView, start: number, length: number): number {
  let a = length;
  let b = 0x85ebca6b;
  let c = 0xc2b2ae35;
  let d = 0x27d4eb2f;
  const end = start + length;
  let at = start;
  for (const stop = end - 15; at < stop; at += 16) {
    a = Math.imul(a ^ view.getInt32(at, true), 0x9e3779b1);
    b = Math.imul(b ^ view.getInt32(at + 4, true), 0x85ebca77);
    c = Math.imul(c ^ view.getInt32(at + 8, true), 0xc2b2ae3d);
    d = Math.imul(d ^ view.getInt32(at + 12, true), 0x27d4eb2f);
  }
  for (; at < end; at++) a = Math.imul(a ^ view.getUint8(at), 0x01000193);
  return scramble(a) + scramble(b + 1) + scramble(c + 2) + scramble(d + 3);
}

function scramble(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}
