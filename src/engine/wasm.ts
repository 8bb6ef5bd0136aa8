// The Wasm engine: one instance of the core a port, over the pool's memory.
//
// The engine is a plain object whose properties are the exported functions themselves, so a call of it is one direct
// call into Wasm. The core is compiled once a realm, from bytes inlined in the package or from the module that the
// caller gives. An instance belongs to its thread: its globals are the port's private state.

import { wasmBytes } from '#core-wasm';
import { prepareStack } from '../platform/stack.js';
import type { Engine } from './engine.js';

/** What the core exports beside the engine's calls. */
export type CoreExports = Omit<Engine, 'kind'> & { open(port: number): void };

let compiled: WebAssembly.Module | undefined;

/** The compiled core; `given` if there is one. May block: a browser's main thread should use `compileCore`. */
export function compileCoreSync(given: WebAssembly.Module | undefined): WebAssembly.Module {
  if (given !== undefined) return given;
  compiled ??= new WebAssembly.Module(wasmBytes());
  return compiled;
}

/** The compiled core; `given` if there is one. */
export async function compileCore(given: WebAssembly.Module | undefined): Promise<WebAssembly.Module> {
  if (given !== undefined) return given;
  compiled ??= await WebAssembly.compile(wasmBytes());
  return compiled;
}

/**
 * An instance of the core over the pool's memory; it serves no port until `openWasmEngine`. Throws for another module.
 */
export function instantiateCore(module: WebAssembly.Module, memory: WebAssembly.Memory): CoreExports {
  const core = new WebAssembly.Instance(module, { env: { memory, touchStack: prepareStack() } })
    .exports as unknown as CoreExports;
  if (typeof core.open !== 'function') throw new TypeError('the module is not the core');
  return core;
}

/** The engine of port `portId`, which this thread has claimed. */
export function openWasmEngine(core: CoreExports, portId: number): Engine {
  core.open(portId);
  // Copied out of the exports, whose properties are slower to read.
  return { ...core, kind: 'wasm' };
}
