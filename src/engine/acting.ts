// Engines by which a thread acts as other ports than its own: a reaper's.
//
// Of the kind that serves the thread's own port, since that is what the realm runs. A thread acts as one port at a
// time, so one instance of the core serves all of them, in turn.

import { CONTROL_BASE, HEADER_GROW_STEP_OFFSET } from '../../assembly/layout.js';
import { compileCore } from './both.js';
import type { Engine } from './engine.js';
import type { GrowableMemory } from './typescript/context.js';
import { createTypeScriptEngine } from './typescript.js';
import { type CoreExports, instantiateCore, openWasmEngine } from './wasm.js';

/** Opens engines that act as ports of one pool. */
export class ActingEngines {
  readonly #memory: GrowableMemory;
  readonly #kind: Engine['kind'];
  readonly #module: WebAssembly.Module | undefined;
  #core: CoreExports | undefined;

  /**
   * @param kind of the engine that serves this thread's own port
   * @param module what the pool came with; undefined: the realm's own
   */
  constructor(memory: GrowableMemory, kind: Engine['kind'], module: WebAssembly.Module | undefined) {
    this.#memory = memory;
    this.#kind = kind;
    this.#module = module;
  }

  /** An engine that acts as port `portId`, which this thread has claimed, until the next one is opened. */
  open(portId: number, clear?: (page: number) => void): Engine {
    const memory = this.#memory;
    if (this.#kind === 'wasm') {
      this.#core ??= instantiateCore(this.#module ?? compileCore(), memory.wasm as WebAssembly.Memory);
      return openWasmEngine(this.#core, portId);
    }
    // Plain: constant.
    const stepPages = memory.i32[(CONTROL_BASE + HEADER_GROW_STEP_OFFSET) >>> 2] as number;
    return createTypeScriptEngine({ memory, portId, grow: (end) => memory.grow(end, stepPages), clear });
  }
}
