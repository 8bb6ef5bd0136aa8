// Which kind of memory a value is, by its own brand: it may come from another realm.

import type { WasmMemory } from './types.js';

/** Whether the value is a buffer that threads share. */
export function isSharedBuffer(value: unknown): value is SharedArrayBuffer {
  return isKind(value, 'SharedArrayBuffer');
}

/** Whether the value is a buffer that one thread has. */
export function isPlainBuffer(value: unknown): value is ArrayBuffer {
  return isKind(value, 'ArrayBuffer');
}

/** Whether the value is a Wasm memory, of this realm or another. */
export function isWasmMemory(value: unknown): value is WasmMemory {
  return isKind(value, 'WebAssembly.Memory');
}

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get as (
  this: unknown,
) => string | undefined;

/**
 * Whether it is an array of that kind, by the brand alone: a proxy of one is none. One whose buffer is gone has no use.
 */
function isArrayOf(value: unknown, kind: string): boolean {
  if (tagOf.call(value) !== kind) return false;
  const array = value as Uint8Array;
  return array.length > 0 || hasBuffer(array);
}

/** Whether the buffer is there, and as long as when the array was made. */
function hasBuffer(array: Uint8Array): boolean {
  try {
    return !array.includes(0);
  } catch {
    return false;
  }
}

/** Whether the value is a `Uint8Array`, of this realm or another: Node's Buffer is one. */
export function isBytes(value: unknown): value is Uint8Array {
  return isArrayOf(value, 'Uint8Array');
}

/** Whether the value is a `Uint32Array`, of this realm or another. */
export function isWords(value: unknown): value is Uint32Array {
  return isArrayOf(value, 'Uint32Array');
}

/** Whether the value is an object of the platform's class of that name, of this realm or another: `'VideoFrame'`. */
export function isKind(value: unknown, kind: string): boolean {
  try {
    return Object.prototype.toString.call(value) === `[object ${kind}]`;
  } catch {
    return false; // a proxy that has no brand
  }
}
