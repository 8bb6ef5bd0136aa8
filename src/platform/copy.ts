// Copying bytes: by the fastest way that the platform has.
//
// V8 copies word by word as soon as one side is shared memory, and byte by byte where the alignments differ. Node's
// Buffer.prototype.fill with a source as long as what it fills is memcpy, for memory of every kind. Whether it may read
// shared memory, and whether it is the faster way, is asked once, of the functions themselves. A memcpy must not
// overlap, so what may do that goes the other way.

import { isPlainBuffer } from './buffers.js';

type Copy = (target: Uint8Array, source: Uint8Array, at: number) => void;

/** Below these lengths the call alone costs more: between addresses whose lowest three bits differ, and others. */
const UNEVEN_MIN = 256;
const EVEN_MIN = 2048;
const ALIGN_MASK = 7;

let copy: Copy | undefined;

/** Copies all of `source` to `at` in `target`. Throws a RangeError where it does not fit. */
export function copyBytes(target: Uint8Array, source: Uint8Array, at = 0): void {
  const { length } = source;
  const isLong =
    length >= UNEVEN_MIN && (length >= EVEN_MIN || ((target.byteOffset + at - source.byteOffset) & ALIGN_MASK) !== 0);
  if (!isLong || mayOverlap(target, source, at)) {
    target.set(source, at);
    return;
  }
  copy ??= chooseCopy();
  copy(target, source, at);
}

/** Whether both may lie on the same bytes: also two objects over one shared memory, which cannot be distinguished. */
export function mayOverlap(target: Uint8Array, source: Uint8Array, at: number): boolean {
  if (target.buffer !== source.buffer) return !isPlain(target.buffer) && !isPlain(source.buffer);
  const start = target.byteOffset + at;
  return start < source.byteOffset + source.length && source.byteOffset < start + source.length;
}

function isPlain(buffer: ArrayBufferLike): boolean {
  return buffer.constructor === ArrayBuffer || isPlainBuffer(buffer);
}

const byLanguage: Copy = (target, source, at) => target.set(source, at);

const TRIAL_BYTES = 16_384;
const TRIALS = 3;

/** @param fill the platform's own, if it has one */
export function chooseCopy(fill: unknown = platformFill()): Copy {
  if (typeof fill !== 'function' || typeof performance !== 'object') return byLanguage;
  const byFill: Copy = (target, source, at) => {
    fill.call(target, source, at, at + source.length);
  };
  try {
    const shared = new Uint8Array(new SharedArrayBuffer(TRIAL_BYTES + 16));
    const own = new Uint8Array(TRIAL_BYTES);
    return isRight(byFill, shared, own) && bestMs(byFill, shared, own) < bestMs(byLanguage, shared, own)
      ? byFill
      : byLanguage;
  } catch {
    return byLanguage;
  }
}

function platformFill(): unknown {
  return (globalThis as { Buffer?: { readonly prototype?: { readonly fill?: unknown } } }).Buffer?.prototype?.fill;
}

/** Whether it copies there and back what it is asked to, and nothing else. */
function isRight(candidate: Copy, shared: Uint8Array, own: Uint8Array): boolean {
  for (let i = 0; i < own.length; i++) own[i] = (i * 7 + (i >>> 8)) & 0xff;
  const back = new Uint8Array(own.length);
  candidate(shared, own, 3);
  candidate(back, shared.subarray(3, 3 + own.length), 0);
  return (
    own.every((byte, i) => shared[i + 3] === byte && back[i] === byte) &&
    shared[2] === 0 &&
    shared[own.length + 3] === 0
  );
}

/** The best of some trials, between addresses that are not aligned. */
function bestMs(candidate: Copy, shared: Uint8Array, own: Uint8Array): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIALS; i++) {
    const start = performance.now();
    candidate(shared, own, 3);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
