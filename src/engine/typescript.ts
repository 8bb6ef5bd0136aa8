// The TypeScript engine: the hot path of one port, on the same words and by the same steps as the Wasm core.
//
// The fallback where Wasm or shared memory is not allowed, the baseline of the benchmarks, and the oracle of the tests.
// It stands in typescript/, a file for each of assembly/; where the two differ in a word, one of them is wrong. Ports
// of both engines work in one pool at the same time. On memory that is not shared the same steps run, and nobody can
// wait.
//
// Each of those files is a class that extends the one below it, and the engine is the last: calls of `this` are what an
// optimiser binds without a check at run time, and each instance has one shape.
//
//   atomic < context < event < stats < handle < ledger < ring < supply < pin < cache < refcount < fragment <
//   reply < channel < token < call < pool

import type { Engine } from './engine.js';
import type { EngineOptions } from './typescript/context.js';
import { PoolSteps } from './typescript/pool.js';

/** The hot path of one port, in TypeScript. */
export class TypeScriptEngine extends PoolSteps implements Engine {
  readonly kind = 'typescript';

  constructor(options: EngineOptions) {
    super(options);
    // Pins outlive the port: this call alone may be kept without its engine.
    this.unpin = this.unpin.bind(this);
  }
}

/** The engine of port `portId`, which this thread has claimed. */
export function createTypeScriptEngine(options: EngineOptions): Engine {
  return new TypeScriptEngine(options);
}
