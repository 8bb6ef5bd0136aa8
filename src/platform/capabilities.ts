// What this realm allows: shared memory, Wasm, asynchronous waits, blocking.
//
// Found out by trying, once a realm: names and flags lie (a realm may have shared Wasm memory without the global
// SharedArrayBuffer, or the global where nothing can be shared). Any thread; nothing but the answer is kept.

import { isSharedBuffer } from './buffers.js';

/** Which kind of memory a pool can have here. */
export type MemoryKind = 'wasm' | 'shared-buffer' | 'local';

/** The best kind of memory, and why it is not a better one. */
export interface MemoryChoice {
  readonly kind: MemoryKind;
  readonly reason: string;
}

/** The answer of this realm, and what it was asked of: it is asked again where somebody has put others there. */
let known: { readonly asked: readonly unknown[]; readonly choice: MemoryChoice } | undefined;

/**
 * The best kind of memory that this realm allows, tried once a realm. Whether the platform grants as much as a pool
 * wants is found out by the pool's own memory: a try of a Wasm memory would take 10 GiB of addresses.
 */
export function chooseMemory(): MemoryChoice {
  const host = globalThis as { crossOriginIsolated?: boolean; MessageChannel?: unknown; SharedArrayBuffer?: unknown };
  const wasm = typeof WebAssembly === 'object' ? WebAssembly : undefined;
  const asked = [host.crossOriginIsolated, host.SharedArrayBuffer, host.MessageChannel, wasm?.Memory, wasm?.validate];
  if (known === undefined || asked.some((each, i) => each !== known?.asked[i])) known = { asked, choice: choose() };
  return known.choice;
}

function choose(): MemoryChoice {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  const hasBuffers = typeof SharedArrayBuffer === 'function';
  if (isolated === false && !hasBuffers) {
    return { kind: 'local', reason: 'this page is not cross-origin isolated' };
  }
  const shared = hasBuffers ? new SharedArrayBuffer(8) : sharedWasmBuffer();
  if (shared === undefined) {
    return { kind: 'local', reason: 'this realm has neither shared Wasm memory nor SharedArrayBuffer' };
  }
  if (!isPosted(shared)) {
    return { kind: 'local', reason: 'this realm makes shared memory but refuses to post it to other threads' };
  }
  if (takesSharedWasmMemory()) return { kind: 'wasm', reason: '' };
  return { kind: 'shared-buffer', reason: 'WebAssembly has no shared memory here' };
}

/** Whether Wasm knows shared memory, of 64-bit addresses or of 32: nothing is made for it, since that may take much. */
export function takesSharedWasmMemory(has64 = false): boolean {
  try {
    // A module that imports one: (import "" "" (memory 1 1 shared)).
    return WebAssembly.validate(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 2, 7, 1, 0, 0, 2, has64 ? 7 : 3, 1, 1));
  } catch {
    return false;
  }
}

/** The buffer of a shared memory, in a realm that does not name SharedArrayBuffer. */
function sharedWasmBuffer(): SharedArrayBuffer | undefined {
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return isSharedBuffer(buffer) ? buffer : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether postMessage takes shared memory: WebKitGTK makes some that no other thread can be given. Through a port,
 * since structuredClone refuses shared memory in WebKit also where workers can be given it.
 */
function isPosted(memory: SharedArrayBuffer): boolean {
  if (typeof MessageChannel !== 'function') return true;
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(memory);
    return true;
  } catch {
    return false;
  } finally {
    // Both: Node keeps a port with an unread message, and with it the memory, for ever.
    port1.close();
    port2.close();
  }
}

/** Whether `Atomics.waitAsync` works here. */
export function hasWaitAsync(): boolean {
  return typeof (Atomics as { waitAsync?: unknown }).waitAsync === 'function';
}
