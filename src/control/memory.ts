// A thread's views of a pool's memory: the control region in every width, and the whole area.
//
// Shared memory that grows leaves earlier buffers valid but short, and does not notify other threads: the control views
// stay as they are, since the control region never grows, and the area's view is made anew when something lies beyond
// it. The views belong to one thread; nothing here is atomic.

import { WASM_PAGE_BYTES } from '../numbers.js';
import { isSharedBuffer, isWasmMemory } from '../platform/buffers.js';
import type { WasmMemory } from '../platform/types.js';

/** One thread's views of the memory that a pool lives in. */
export class PoolMemory {
  /** The Wasm memory, or undefined when the pool lives in a plain buffer. */
  readonly wasm: WasmMemory | undefined;
  readonly isShared: boolean;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  /** The whole memory as far as it is known to reach; ask `reach` first where it may be too short. */
  bytes: Uint8Array;
  #byteLength: number;

  constructor(source: WasmMemory | ArrayBufferLike) {
    this.wasm = isWasmMemory(source) ? source : undefined;
    const buffer: ArrayBufferLike = this.wasm !== undefined ? this.wasm.buffer : (source as ArrayBufferLike);
    this.isShared = isSharedBuffer(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.#byteLength = buffer.byteLength;
  }

  /** The area's view, made anew if it does not reach to `end`. */
  reach(end: number): Uint8Array {
    return end <= this.#byteLength ? this.bytes : this.#reachFurther(end);
  }

  #reachFurther(end: number): Uint8Array {
    if (this.wasm === undefined) return this.bytes;
    // Growing by nothing makes this thread see what others have grown.
    if (end > this.wasm.buffer.byteLength) this.wasm.grow(0);
    this.bytes = new Uint8Array(this.wasm.buffer);
    this.#byteLength = this.bytes.byteLength;
    return this.bytes;
  }

  /** Grows the memory to reach to `end`, by whole steps where it can; false where the platform refuses. */
  grow(end: number, stepPages: number): boolean {
    if (this.reach(end).byteLength >= end) return true;
    if (this.wasm === undefined) return false;
    const missing = Math.ceil((end - this.bytes.byteLength) / WASM_PAGE_BYTES);
    for (const pages of [Math.max(missing, stepPages), missing]) {
      try {
        this.wasm.grow(pages);
        break;
      } catch {
        // The last step is a short one, or another port has grown the memory meanwhile.
      }
    }
    return this.reach(end).byteLength >= end;
  }
}
