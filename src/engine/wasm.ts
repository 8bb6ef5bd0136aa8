// The Wasm engine: one instance of the core a port, over the pool's memory.
//
// The engine is a plain object whose properties are the exported functions themselves, so a call of it is one direct
// call into Wasm. An instance belongs to its thread: its globals are the port's private state.

import { prepareStack } from '../platform/stack.js';
import type { Engine } from './engine.js';

/** What the core exports beside the engine's calls. */
export type CoreExports = Omit<Engine, 'kind'> & { open(port: number): void };

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
