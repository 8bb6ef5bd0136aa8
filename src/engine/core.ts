// The Wasm core of programs that create pools: inlined in the package, compiled once a realm.
//
// The same bytes serve memory that threads share and memory of one thread: one flag in them says which of both the core
// imports. A module that the caller gives is compiled for shared memory.

import { sharedFlagAt, wasmBytes } from '#core-wasm';
import { loadedTypeScript } from './loaded.js';
import { chooseEngine, type EngineRequest, type Engines, fallBack, type PreparedEngine, wantsWasm } from './open.js';

const compiled: { shared?: WebAssembly.Module; local?: WebAssembly.Module } = {};

type Key = keyof typeof compiled;

function keyOf(isShared: boolean): Key {
  return isShared ? 'shared' : 'local';
}

/** The core's bytes, for memory of that kind. */
function bytesFor(key: Key): Uint8Array<ArrayBuffer> {
  const bytes = wasmBytes();
  if (key === 'local') bytes[sharedFlagAt] = 1; // of its two flags "shared" goes, "has a maximum" stays
  return bytes;
}

/** The core, compiled at the first call. That may block: a browser's main thread should use `prepareEngine`. */
export function compileCore(isShared: boolean): WebAssembly.Module {
  const key = keyOf(isShared);
  compiled[key] ??= new WebAssembly.Module(bytesFor(key));
  return compiled[key];
}

/** What a program has that loads the whole package, for memory of that kind. */
export function wholeEngines(isShared: boolean): Engines {
  return { compile: () => compileCore(isShared), openTypeScript: loadedTypeScript() };
}

/** The engine asked for, compiled without blocking. */
export async function prepareEngine(request: EngineRequest, isShared: boolean): Promise<PreparedEngine> {
  const key = keyOf(isShared);
  if (request.module === undefined && compiled[key] === undefined && wantsWasm(request)) {
    try {
      compiled[key] = await WebAssembly.compile(bytesFor(key));
    } catch (cause) {
      return fallBack(request, wholeEngines(isShared), cause);
    }
  }
  return chooseEngine(request, wholeEngines(isShared));
}
