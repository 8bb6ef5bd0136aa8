// Engines by which a thread acts as other ports than its own: a reaper's.
//
// Of the kind that serves the thread's own port, since that is what the realm runs. A thread acts as one port at a
// time, so one instance of the core serves all of them, in turn. It is found by the thread's views of the memory, which
// whoever keeps a pool's objects lets go of at the pool's end: the instance holds the memory itself.

import { CONTROL_BASE, HEADER_GROW_STEP_OFFSET } from '../../assembly/layout.js';
import { compileCore } from './core.js';
import type { Engine } from './engine.js';
import { loadedTypeScript } from './loaded.js';
import type { OpenTypeScript } from './open.js';
import type { GrowableMemory } from './typescript/context.js';
import { type CoreExports, instantiateCore, openWasmEngine } from './wasm.js';

const cores = new WeakMap<GrowableMemory, CoreExports>();

/** The port by which a thread is attached, as whoever acts as others sees it. */
export interface ActorSeat {
  readonly memory: GrowableMemory;
  readonly engine: Engine;
  /** The core that the pool came with; undefined: the realm's own. */
  readonly module?: WebAssembly.Module | undefined;
}

/** An engine that acts as port `portId`, which the thread has claimed, until it opens the next one. */
export function openActing(
  { memory, engine, module }: ActorSeat,
  portId: number,
  clear: ((page: number) => void) | undefined,
): Engine {
  if (engine.kind === 'wasm') {
    let core = cores.get(memory);
    if (core === undefined) {
      core = instantiateCore(module ?? compileCore(memory.isShared), memory.wasm as WebAssembly.Memory);
      cores.set(memory, core);
    }
    return openWasmEngine(core, portId);
  }
  // Plain: constant.
  const stepPages = memory.i32[(CONTROL_BASE + HEADER_GROW_STEP_OFFSET) >>> 2] as number;
  const openTypeScript = loadedTypeScript() as OpenTypeScript; // it serves this thread's own port
  return openTypeScript({ memory, portId, grow: (end) => memory.grow(end, stepPages), clear });
}
