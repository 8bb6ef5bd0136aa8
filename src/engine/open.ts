// Which engine serves a port: the Wasm core where it can run, the TypeScript engine elsewhere.
//
// `'auto'` falls back; `'wasm'` asked for and not possible is an error with the reason. Both engines may serve ports of
// one pool at the same time, so the choice is each thread's own. Which engines a program has loaded is its entry's
// choice: all are given here, and none is imported but the core's instance.

import { callError, invalidArgument, type PagePoolError, REMEDIES } from '../errors.js';
import { prepareStack, touchStack } from '../platform/stack.js';
import { workerThreads } from '../platform/thread.js';
import type { Engine } from './engine.js';
import type { EngineOptions, GrowableMemory } from './typescript/context.js';
import { instantiateCore, openWasmEngine } from './wasm.js';

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

/** Opens a TypeScript engine on a port that this thread has claimed. */
export type OpenTypeScript = (options: EngineOptions) => Engine;

/** The engines that a program has loaded. */
export interface Engines {
  /** The compiled core, for requests that bring none. May block; throws where there is none. */
  compile(): WebAssembly.Module;
  readonly openTypeScript: OpenTypeScript | undefined;
}

/** The engine asked for. */
export function chooseEngine(request: EngineRequest, engines: Engines): PreparedEngine {
  if (!wantsWasm(request)) return typescriptEngine(request, engines);
  try {
    return wasmEngine(request, request.module ?? engines.compile());
  } catch (cause) {
    return fallBack(request, engines, cause);
  }
}

/** Whether the core is tried for it. */
export function wantsWasm({ call, engine, memory }: EngineRequest): boolean {
  if (engine === 'typescript') return false;
  if (memory.wasm !== undefined) return true;
  if (engine === 'auto') return false;
  throw refused(call, 'the pool lives in Wasm memory', undefined);
}

/** The engine where the core does not run. */
export function fallBack(request: EngineRequest, engines: Engines, cause: unknown): PreparedEngine {
  const { call, engine, module } = request;
  // A module that the caller gave and that does not run is a mistake; one that came with a share may be refused here.
  if (module !== undefined && call !== 'attach') {
    throw invalidArgument(call, 'module', module, "this version's pagepool/core.wasm, compiled");
  }
  if (engine === 'auto') return typescriptEngine(request, engines, cause);
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

function typescriptEngine(
  { call, engine, memory, module, stepPages }: EngineRequest,
  { openTypeScript }: Engines,
  cause?: unknown,
): PreparedEngine {
  if (openTypeScript === undefined) {
    const rule = 'the TypeScript engine, where the core does not serve';
    const todo = 'import pagepool/typescript in this thread';
    throw callError('POOL_ERR_INVALID_ARGUMENT', call, `engine=${JSON.stringify(engine)}`, rule, todo, { cause });
  }
  const grow = (end: number): boolean => memory.grow(end, stepPages);
  // Pages that forbid compiling would report that it was tried.
  if (workerThreads() !== undefined) prepareStack();
  return { module, open: (portId, clear) => openTypeScript({ memory, portId, grow, clear, touchStack }) };
}
