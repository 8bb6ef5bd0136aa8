// Types of the platform that a consumer's type libraries may lack: the platform's own where declared, the part used
// here elsewhere.
//
// Types alone, no code. Node's declarations have no WebAssembly without DOM, a bare ES2022 has neither timers nor
// AbortSignal, and the package's declarations must still mean something there.

/** `WebAssembly.Memory`. */
export type WasmMemory = typeof globalThis extends { WebAssembly: { Memory: { prototype: infer Memory } } }
  ? Memory
  : { readonly buffer: ArrayBufferLike; grow(pages: number): number };

/** `WebAssembly.Module`. */
export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } }
  ? Module
  : object;

/** `AbortSignal`. */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer AbortSignal } }
  ? AbortSignal
  : {
      readonly aborted: boolean;
      readonly reason: unknown;
      throwIfAborted(): void;
      addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
      removeEventListener(type: 'abort', listener: () => void): void;
    };

/** What `setTimeout` returns; in Node it may be asked not to keep the event loop alive. */
export type Timer = (typeof globalThis extends { setTimeout: (...args: never[]) => infer Timer } ? Timer : object) & {
  unref?: () => void;
};
