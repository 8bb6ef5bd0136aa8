// What this realm allows: shared memory, Wasm, asynchronous waits, blocking.
//
// Found out by trying, at the time of the call: names and flags lie (a realm may have shared Wasm memory without the global
// SharedArrayBuffer, or the global where nothing can be shared). Any thread; nothing is kept.

/** Which kind of memory a pool can have here. */
export type MemoryKind = 'wasm' | 'shared-buffer' | 'local';

/** The best kind of memory, and why it is not a better one. */
export interface MemoryChoice {
  readonly kind: MemoryKind;
  readonly reason: string;
}

/** The best kind of memory that this realm allows. */
export function chooseMemory(): MemoryChoice {
  // A browser that is not isolated may still construct shared memory, but refuses to post it.
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  const hasBuffers = typeof SharedArrayBuffer === 'function';
  if (isolated === false && !hasBuffers) {
    return { kind: 'local', reason: 'this page is not cross-origin isolated' };
  }
  if (hasSharedWasmMemory()) return { kind: 'wasm', reason: '' };
  if (hasBuffers) return { kind: 'shared-buffer', reason: 'WebAssembly has no shared memory here' };
  return { kind: 'local', reason: 'this realm has neither shared Wasm memory nor SharedArrayBuffer' };
}

function hasSharedWasmMemory(): boolean {
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
  } catch {
    return false;
  }
}

/** Whether `Atomics.waitAsync` works here. */
export function hasWaitAsync(): boolean {
  return typeof (Atomics as { waitAsync?: unknown }).waitAsync === 'function';
}
