// Bundles TypeScript sources, as they are or with faults put in, and loads them rewritten so that their calls can be
// stopped.
//
// The faulty sources and the rewritten code exist in memory alone.

import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { build } from 'esbuild';
import type { Engine } from '../../../src/engine/engine.js';
import type { EngineOptions } from '../../../src/engine/typescript/context.js';
import type { Patch } from '../build-model.js';
import { type ExchangeByStore, mutate } from './mutate.js';
import type { TransformOptions } from './place.js';
import { suspension } from './suspension.js';
import { transform } from './transform.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** A rewritten module. */
export interface Suspendable {
  readonly exports: Readonly<Record<string, unknown>>;
  /** Names of the methods and functions that are generators now. */
  readonly suspending: ReadonlySet<string>;
  /** What objects of its classes remember from call to call. */
  readonly fields: readonly string[];
}

/** The engine, rewritten. */
export interface TypeScriptModel {
  open(options: EngineOptions): SuspendableEngine;
  readonly fields: readonly string[];
}

/** An engine most of whose calls are generators: they yield before each step on a shared word. */
export type SuspendableEngine = Record<Exclude<keyof Engine, 'kind'>, (...args: number[]) => unknown> &
  Record<string, unknown>;

/** The bundle of an entry below the root, with the patches; it imports nothing. */
export async function bundle(entry: string, patches: readonly Patch[] = []): Promise<string> {
  const left = new Set(patches);
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    charset: 'utf8',
    logLevel: 'silent',
    plugins: [
      {
        name: 'patches',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const name = relative(ROOT, path);
            const own = patches.filter(({ file }) => file === name);
            for (const patch of own) left.delete(patch);
            return own.length === 0 ? undefined : { contents: patched(name, path, own), loader: 'ts' };
          });
        },
      },
    ],
  });
  for (const { file } of left) throw new Error(`${file} has a seeded fault and is not in the bundle of ${entry}`);
  return result.outputFiles[0]!.text;
}

function patched(name: string, path: string, patches: readonly Patch[]): string {
  let text = readFileSync(path, 'utf8');
  for (const { find, replace } of patches) {
    const pieces = text.split(find);
    if (pieces.length !== 2)
      throw new Error(`${name} has the place of a seeded fault ${pieces.length - 1} times (expected once): ${find}`);
    text = pieces.join(replace);
  }
  return text;
}

/** The exports of rewritten code. */
export function load(source: string, name: string, options: TransformOptions): Suspendable {
  const { code, suspending, fields } = transform(source, options);
  const make = compileFunction(`'use strict';\n${code}`, ['$'], { filename: `suspendable:${name}` });
  const exported = Object.entries(make(suspension) as Record<string, unknown>).map(([key, value]) => {
    const isGenerator = typeof value === 'function' && suspending.has(value.name) && !/^class/.test(String(value));
    return [key, isGenerator ? (...args: unknown[]) => suspension.mark(value(...args)) : value];
  });
  return { exports: Object.fromEntries(exported), suspending, fields };
}

/**
 * The exports of a module below the root, rewritten: generators that can be stopped, even before plain writes.
 * `around`: of code that has no yields and hooks of its own.
 */
export async function loadSuspendable<Exports>(
  entry: string,
  patches: readonly Patch[] = [],
  around = false,
): Promise<Exports> {
  return load(await bundle(entry, patches), entry, { deaths: true, around }).exports as Exports;
}

/** The TypeScript engine, rewritten, as it is or with the faults; `deaths` as transform.ts has it. */
export async function buildTypeScriptModel(
  options: TransformOptions = { deaths: false },
  faults: readonly (Patch | ExchangeByStore)[] = [],
): Promise<TypeScriptModel> {
  const entry = 'src/engine/typescript.ts';
  const patches = faults.filter((fault) => 'find' in fault);
  const source = mutate(
    await bundle(entry, patches),
    faults.filter((fault) => 'exchange' in fault),
  );
  const { exports, fields } = load(source, entry, options);
  const TypeScriptEngine = exports.TypeScriptEngine as new (options: EngineOptions) => SuspendableEngine;
  return { open: (engineOptions) => new TypeScriptEngine(engineOptions), fields };
}
