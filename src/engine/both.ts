// Both engines, for programs that create pools: the core inlined in the package, and the TypeScript engine beside it.
//
// The core is compiled once a realm, from those bytes or from the module that the caller gives.

import { wasmBytes } from '#core-wasm';
import { chooseEngine, type EngineRequest, type Engines, fallBack, type PreparedEngine, wantsWasm } from './open.js';
import { createTypeScriptEngine } from './typescript.js';

let compiled: WebAssembly.Module | undefined;

/** The core, compiled at the first call. That may block: a browser's main thread should use `prepareEngine`. */
export function compileCore(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(wasmBytes());
  return compiled;
}

/** All engines there are. */
export const bothEngines: Engines = {
  compile: compileCore,
  openTypeScript: createTypeScriptEngine,
};

/** The engine asked for, compiled without blocking. */
export async function prepareEngine(request: EngineRequest): Promise<PreparedEngine> {
  if (request.module === undefined && compiled === undefined && wantsWasm(request)) {
    try {
      compiled = await WebAssembly.compile(wasmBytes());
    } catch (cause) {
      return fallBack(request, bothEngines, cause);
    }
  }
  return chooseEngine(request, bothEngines);
}
