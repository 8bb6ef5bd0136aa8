// Finding a byte: by the platform's own search where that takes views of shared memory, by the language's elsewhere.
//
// Node's Buffer searches with memchr, 12 GB/s over shared memory in lines of 1,000 bytes where
// Uint8Array.prototype.indexOf does 1.7 and a loop 1.2. Whether it may read shared memory is asked once, of the
// function itself: acceptance changes.

import { isBytes } from '../platform/buffers.js';

type Find = (view: Uint8Array, byte: number, from: number) => number;

interface BufferConstructor {
  readonly prototype?: { readonly indexOf?: unknown };
}

let find: Find | undefined;

/** Where the byte is in the view, at `from` or after it; -1: nowhere. */
export function findByte(view: Uint8Array, byte: number, from: number): number {
  find ??= chooseFind();
  return find(view, byte, from);
}

const byLanguage: Find = (view, byte, from) => view.indexOf(byte, from);

function chooseFind(): Find {
  const indexOf = (globalThis as { Buffer?: BufferConstructor }).Buffer?.prototype?.indexOf;
  if (typeof indexOf !== 'function') return byLanguage;
  const byBuffer: Find = (view, byte, from) => indexOf.call(view, byte, from) as number;
  try {
    const shared = new Uint8Array(new SharedArrayBuffer(64));
    shared[33] = shared[40] = 7;
    const window = shared.subarray(1);
    return byBuffer(window, 7, 0) === 32 && byBuffer(window, 7, 33) === 39 && byBuffer(window, 8, 0) === -1
      ? byBuffer
      : byLanguage;
  } catch {
    return byLanguage;
  }
}

/** Whether the value is a byte. */
export function isByte(value: unknown): value is number {
  return typeof value === 'number' && (value & 0xff) === value;
}

/** What is searched for, as bytes; undefined: neither a byte, a string nor bytes. */
export function patternOf(value: unknown): Uint8Array | undefined {
  if (isByte(value)) return Uint8Array.of(value);
  if (typeof value === 'string') return new TextEncoder().encode(value);
  return isBytes(value) ? value : undefined;
}
