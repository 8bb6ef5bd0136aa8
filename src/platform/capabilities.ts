// What this realm allows: shared memory, Wasm, asynchronous waits, blocking.
//
// Found out by trying, at the time of the call: names and flags lie (a realm may have shared Wasm memory without the
// global SharedArrayBuffer, or the global where nothing can be shared). Any thread; nothing is kept.

import { isSharedBuffer } from './buffers.js';

/** Which kind of memory a pool can have here. */
export type MemoryKind = 'wasm' | 'shared-buffer' | 'local';

/** The best kind of memory, and why it is not a better one. */
export interface MemoryChoice {
  readonly kind: MemoryKind;
  readonly reason: string;
}

/** The best kind of memory that this realm allows. */
export function chooseMemory(): MemoryChoice {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  const hasBuffers = typeof SharedArrayBuffer === 'function';
  if (isolated === false && !hasBuffers) {
    return { kind: 'local', reason: 'this page is not cross-origin isolated' };
  }
  const wasmMemory = sharedWasmMemory();
  const shared = wasmMemory ?? (hasBuffers ? new SharedArrayBuffer(8) : undefined);
  if (shared === undefined) {
    return { kind: 'local', reason: 'this realm has neither shared Wasm memory nor SharedArrayBuffer' };
  }
  if (!isPosted(shared)) {
    return { kind: 'local', reason: 'this realm makes shared memory but refuses to post it to other threads' };
  }
  if (wasmMemory !== undefined) return { kind: 'wasm', reason: '' };
  return { kind: 'shared-buffer', reason: 'WebAssembly has no shared memory here' };
}

function sharedWasmMemory(): WebAssembly.Memory | undefined {
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return isSharedBuffer(memory.buffer) ? memory : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether postMessage takes the memory: WebKitGTK makes shared memory that no other thread can be given. Through a
 * port, since structuredClone refuses Wasm memory in WebKit also where workers can be given it.
 */
function isPosted(memory: WebAssembly.Memory | SharedArrayBuffer): boolean {
  if (typeof MessageChannel !== 'function') return true;
  const { port1 } = new MessageChannel();
  try {
    port1.postMessage(memory);
    return true;
  } catch {
    return false;
  } finally {
    port1.close();
  }
}

/** Whether `Atomics.waitAsync` works here. */
export function hasWaitAsync(): boolean {
  return typeof (Atomics as { waitAsync?: unknown }).waitAsync === 'function';
}
