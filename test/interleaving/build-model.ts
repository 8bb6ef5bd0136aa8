// Compiles the model binary from assembly/ as it is, or with faults put in; the faulty sources exist in memory alone.
//
// The results are kept in build/interleaving/, named by a hash of everything that goes in.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const CACHE = join(ROOT, 'build/interleaving');

/** What an instance keeps from call to call, beside what follows from the pool and the port: the model exports it. */
export const KEPT = ['lastCode', 'loaded'] as const;
const KEPT_FILE = 'assembly/kept.ts';
/** Sources whose stores are no plain ones of a call. */
const WITHOUT_PLAIN = new Set(['assembly/atomic.ts', 'assembly/layout.ts', 'assembly/debug.ts']);
/** A plain store on a line of its own, or behind a condition or a loop. */
const PLAIN = /^( *(?:(?:if|for) \(.*\) )?)(store<.*?;)( \/\/.*)?$/gm;
const PLAIN_IMPORT = `// @ts-ignore: decorator
@external('env', 'plainPoint')
declare function plainPoint(): void;
`;

/** A change of one place of one file. */
export interface Patch {
  /** Below the root. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/**
 * The model binary of the sources; with patches not optimised, which would take longer than to find the fault. `plain`:
 * it calls env.plainPoint before each plain store as well.
 */
export async function buildModel(patches: readonly Patch[] = [], plain = false): Promise<WebAssembly.Module> {
  const sources = patchedSources(patches);
  if (plain) for (const [name, text] of sources) sources.set(name, withPlainPoints(name, text));
  const hash = createHash('sha256');
  for (const [name, text] of sources) hash.update(`\0${name}\0${text}`);
  const level = patches.length === 0 ? [] : ['--optimizeLevel', '0'];
  hash.update(level.join(' '));
  const path = join(CACHE, `${hash.digest('hex').slice(0, 24)}.wasm`);
  if (!existsSync(path)) keep(path, await compile(sources, level));
  return new WebAssembly.Module(readFileSync(path));
}

/** Every file that the compiler reads of this package, by its path, and the compiler's version. */
function patchedSources(patches: readonly Patch[]): Map<string, string> {
  const names = readdirSync(join(ROOT, 'assembly')).filter((name) => name.endsWith('.ts'));
  const files = [...names.map((name) => `assembly/${name}`).sort(), 'asconfig.json', 'package-lock.json'];
  const sources = new Map(files.map((name) => [name, readFileSync(join(ROOT, name), 'utf8')]));
  for (const { file, find, replace } of patches) {
    const pieces = sources.get(file)?.split(find) ?? [];
    if (pieces.length !== 2) {
      throw new Error(`${file} has the place of a seeded fault ${pieces.length - 1} times (expected once): ${find}`);
    }
    sources.set(file, pieces.join(replace));
  }
  sources.set(KEPT_FILE, `export { ${KEPT.join(', ')} } from './context';\n`);
  // Threads of the model take turns in one JavaScript thread.
  const config = JSON.parse(sources.get('asconfig.json')!);
  config.options.sharedMemory = false;
  sources.set('asconfig.json', JSON.stringify(config));
  return sources;
}

/** The source with a call before each plain store. */
function withPlainPoints(name: string, text: string): string {
  if (!name.endsWith('.ts') || WITHOUT_PLAIN.has(name)) return text;
  const stepped = text.replace(PLAIN, '$1{ plainPoint(); $2 }');
  const left = stepped.split('\n').find((line) => /(?<!plainPoint\(\); |atomic\.)store</.test(line));
  if (left !== undefined) throw new Error(`${name} has a plain store that no step stands before: ${left.trim()}`);
  return stepped === text ? text : `${stepped}\n${PLAIN_IMPORT}`;
}

async function compile(sources: ReadonlyMap<string, string>, level: readonly string[]): Promise<Uint8Array> {
  const { default: asc } = await import('assemblyscript/asc');
  let binary: Uint8Array | undefined;
  const options = ['--config', 'asconfig.json', '--target', 'model', '--outFile', 'model.wasm', ...level];
  const { error, stderr } = await asc.main(['assembly/index.ts', KEPT_FILE, ...options], {
    readFile: (name: string) => sources.get(name.replace(/^\.\//, '')) ?? null,
    writeFile: (name: string, contents: string | Uint8Array) => {
      if (name === 'model.wasm') binary = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error !== null || binary === undefined) throw new Error(`the model does not compile:\n${stderr.toString()}`);
  return binary;
}

/** Written aside first: another process may read it at the same time. */
function keep(path: string, binary: Uint8Array): void {
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(`${path}.${process.pid}`, binary);
  renameSync(`${path}.${process.pid}`, path);
}
