// Which kind of memory a value is, by what it says of itself: it may come from another realm.

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

function isKind(value: unknown, kind: string): boolean {
  return Object.prototype.toString.call(value) === `[object ${kind}]`;
}

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get as (
  this: unknown,
) => string | undefined;

/** Whether the value is a Uint8Array, of whatever realm: Node's Buffer is one, a proxy of one is not. */
export function isBytes(value: unknown): value is Uint8Array {
  return tagOf.call(value) === 'Uint8Array';
}

/** Whether the value is a Uint32Array, likewise. */
export function isWords(value: unknown): value is Uint32Array {
  return tagOf.call(value) === 'Uint32Array';
}
