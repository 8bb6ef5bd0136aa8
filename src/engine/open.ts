// Which engine serves a port: the Wasm core where it can run, the TypeScript engine elsewhere.
//
// `'auto'` falls back; `'wasm'` asked for and not possible is an error with the reason. Both engines may serve ports of
// one pool at the same time, so the choice is each thread's own.

import { callError, invalidArgument, type PagePoolError, REMEDIES } from '../errors.js';
import { prepareStack, touchStack } from '../platform/stack.js';
import type { Engine } from './engine.js';
import type { GrowableMemory } from './typescript/context.js';
import { createTypeScriptEngine } from './typescript.js';
import { compileCore, compileCoreSync, instantiateCore, openWasmEngine } from './wasm.js';

/** An engine that is ready to serve a port once one is claimed. */
export interface PreparedEngine {
  readonly module: WebAssembly.Module | undefined;
  open(portId: number, clear?: (page: number) => void): Engine;
}

/** How an engine is asked for. */
export interface EngineRequest {
  readonly call: string;
  readonly engine: 'auto' | 'wasm' | 'typescript';
  readonly memory: GrowableMemory;
  readonly module: WebAssembly.Module | undefined;
  readonly stepPages: number;
}

/** The engine asked for, compiled without blocking. */
export async function prepareEngine(request: EngineRequest): Promise<PreparedEngine> {
  if (!wantsWasm(request)) return typescriptEngine(request);
  try {
    return wasmEngine(request, await compileCore(request.module));
  } catch (cause) {
    return fallBack(request, cause);
  }
}

/** The engine asked for; compiling may block. */
export function prepareEngineSync(request: EngineRequest): PreparedEngine {
  if (!wantsWasm(request)) return typescriptEngine(request);
  try {
    return wasmEngine(request, compileCoreSync(request.module));
  } catch (cause) {
    return fallBack(request, cause);
  }
}

function wantsWasm({ call, engine, memory }: EngineRequest): boolean {
  if (engine === 'typescript') return false;
  if (memory.wasm !== undefined) return true;
  if (engine === 'auto') return false;
  throw refused(call, 'the pool lives in shared Wasm memory', undefined);
}

function fallBack(request: EngineRequest, cause: unknown): PreparedEngine {
  const { call, engine, module } = request;
  // A module that the caller gave and that does not run is a mistake; one that came with a share may be refused here.
  if (module !== undefined && call !== 'attach') {
    throw invalidArgument(call, 'module', module, "this version's pagepool/core.wasm, compiled");
  }
  if (engine === 'auto') return typescriptEngine(request);
  throw refused(call, 'a realm that compiles and runs it', cause);
}

function refused(call: string, rule: string, cause: unknown): PagePoolError {
  return callError(
    'POOL_ERR_INVALID_ARGUMENT',
    call,
    'engine="wasm"',
    rule,
    `pass engine: 'auto', or ${REMEDIES.POOL_ERR_NOT_SHARED}`,
    { cause },
  );
}

function wasmEngine({ memory }: EngineRequest, module: WebAssembly.Module): PreparedEngine {
  const core = instantiateCore(module, memory.wasm as WebAssembly.Memory);
  return { module, open: (portId) => openWasmEngine(core, portId) };
}

function typescriptEngine({ memory, module, stepPages }: EngineRequest): PreparedEngine {
  const grow = (end: number): boolean => memory.grow(end, stepPages);
  prepareStack();
  return { module, open: (portId, clear) => createTypeScriptEngine({ memory, portId, grow, clear, touchStack }) };
}
