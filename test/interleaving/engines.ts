// Which engine serves which thread of an exploration, built as it is or with a fault.

import { buildModel, type Patch } from './build-model.js';
import { buildTypeScriptModel, type TypeScriptModel } from './suspend/bundle.js';
import type { ExchangeByStore } from './suspend/mutate.js';
import type { TransformOptions } from './suspend/place.js';

/** All threads of one engine, or the threads in turns: Wasm, TypeScript, Wasm, ... */
export const ENGINES = ['wasm', 'typescript', 'mixed'] as const;
export type EngineName = (typeof ENGINES)[number];

/** The engines of an exploration. */
export interface Engines {
  readonly name: EngineName;
  /** By the thread's number; a reaper has a number after those of the programs. */
  kindOf(thread: number): 'wasm' | 'typescript';
  readonly module: WebAssembly.Module | undefined;
  readonly model: TypeScriptModel | undefined;
}

/** One place of one engine, broken. */
export type Fault = Patch | ExchangeByStore;

interface EngineBuild extends Partial<TransformOptions> {
  /** Faults, each of one engine's sources. */
  readonly faults?: readonly Fault[];
  /** Wasm threads stand before plain stores as well. */
  readonly isPlain?: boolean;
}

const built = new Map<string, Promise<Engines>>();

/** What the threads need, built once. */
export function buildEngines(name: EngineName, what: EngineBuild = {}): Promise<Engines> {
  const key = JSON.stringify([name, what]);
  const engines = built.get(key) ?? build(name, what);
  built.set(key, engines);
  return engines;
}

async function build(name: EngineName, { faults = [], isPlain = false, ...options }: EngineBuild): Promise<Engines> {
  const ofWasm = faults.filter((fault) => fault.file.startsWith('assembly/') && 'find' in fault) as readonly Patch[];
  const others = faults.filter((fault) => !fault.file.startsWith('assembly/'));
  return {
    name,
    kindOf: (thread) => (name === 'mixed' ? (thread % 2 === 0 ? 'wasm' : 'typescript') : name),
    module: name === 'typescript' ? undefined : await buildModel(ofWasm, isPlain),
    model: name === 'wasm' ? undefined : await buildTypeScriptModel({ deaths: false, ...options }, others),
  };
}
