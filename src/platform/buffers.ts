// Which kind of memory a value is, by what it says of itself: it may come from another realm.

import type { WasmMemory } from './types.js';

/** Whether the value is a buffer that threads share. */
export function isSharedBuffer(value: unknown): value is SharedArrayBuffer {
  return Object.prototype.toString.call(value) === '[object SharedArrayBuffer]';
}

/** Whether the value is a Wasm memory, of this realm or another. */
export function isWasmMemory(value: unknown): value is WasmMemory {
  return Object.prototype.toString.call(value) === '[object WebAssembly.Memory]';
}
