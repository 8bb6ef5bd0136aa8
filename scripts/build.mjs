// Builds the package: Wasm binaries, their gate, the bundles and the declarations, each only when its inputs changed.
//
//   assembly/ --asc--> build/wasm/core.<target>.wasm --gate--> build/generated/core-wasm.js --+
//   src/inspector/ --esbuild--> build/generated/inspector-*.js -------------------------------+
//   src/ ----------------------------------------------------------------esbuild, terser------+--> build/*.js, maps/
//   src/ -------------------------------------------------------------------------tsc------------> build/*.d.ts
//
// The entries are what `exports` and `bin` of package.json name: ./build/x.js is made from src/x.ts.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { build } from 'esbuild';
import { minify } from 'terser';
import { inlineCore } from './inline-core.mjs';
import { inlineInspector } from './inline-inspector.mjs';
import { publishTypes } from './publish-types.mjs';
import {
  buildDir,
  filesBelow,
  isMain,
  packageJson,
  Refusal,
  root,
  runNode,
  runScript,
  tools,
  unlessFresh,
  withBuildLock,
} from './support.mjs';
import { verifyWasm } from './verify-wasm.mjs';

export const wasmTargets = ['release', 'checked', 'model', 'debug'];

/** Source files of the package's entries, below the root. */
export function entryPoints() {
  return Object.values(packageJson.exports)
    .map((target) => target.default)
    .filter((path) => path?.endsWith('.js'))
    .map(sourceOf);
}

/** Source files of the package's commands: they have no declarations. */
function commands() {
  return Object.values(packageJson.bin).map(sourceOf);
}

function sourceOf(path) {
  return path.replace(/^(?:\.\/)?build\//, 'src/').replace(/\.js$/, '.ts');
}

async function buildWasm(targets) {
  const outputs = targets.map((target) => `build/wasm/core.${target}.wasm`);
  const inputs = ['assembly', 'asconfig.json', 'package-lock.json'];
  return unlessFresh('wasm', { inputs, outputs }, async () => {
    mkdirSync(join(buildDir, 'wasm'), { recursive: true });
    const runs = await Promise.all(
      targets.map((target) => runNode([tools.asc, '--target', target], { capture: true })),
    );
    for (const [i, { code, output }] of runs.entries()) {
      // `--converge` says so when the last round made the binary larger; it keeps the smaller one.
      const message = output.replace('Last converge was suboptimal.', '').trim();
      if (code !== 0) throw new Refusal(`asc --target ${targets[i]} failed:\n${message}`);
      if (message !== '') console.log(message);
    }
    verifyWasm();
  });
}

/** The inspector's page and thread, a module each. */
async function inspectorFiles() {
  const js = (part) => `build/generated/inspector-${part}.js`;
  const inputs = [
    ...[
      'src',
      'assembly/layout.ts',
      'build/generated/core-wasm.js',
      'build/generated/layout-hash.js',
      'package-lock.json',
      'tsconfig.json',
    ],
    'scripts/inline-inspector.mjs',
  ];
  const outputs = ['page', 'thread'].flatMap((part) => [js(part), js(part).replace(/js$/, 'd.ts')]);
  return unlessFresh('inspector', { inputs, outputs }, async () => {
    for (const [name, text] of Object.entries(await inlineInspector())) {
      writeFileSync(join(buildDir, 'generated', name), text);
    }
  });
}

/** The inlined core as an entry: so it has a chunk of its own. */
const CORE = { in: 'build/generated/core-wasm.js', out: 'chunks/core-wasm' };

/** @param {boolean} isShort names are short, and chunks are joined: as published */
async function bundle(isShort) {
  const entries = [...entryPoints(), ...commands()].filter((path) => existsSync(join(root, path)));
  const outputs = entries.map((path) => path.replace('src/', 'build/').replace(/\.ts$/, '.js'));
  const inputs = [
    ...['src', 'assembly/layout.ts', 'build/generated/core-wasm.js', 'build/generated/layout-hash.js'],
    ...['build/generated/inspector-page.js', 'build/generated/inspector-thread.js'],
    ...['package.json', 'package-lock.json', 'scripts/build.mjs', 'tsconfig.json'],
  ];
  return unlessFresh('bundle', { inputs, outputs }, async () => {
    for (const file of ['chunks', 'maps'].flatMap((folder) => filesBelow(join(buildDir, folder)))) rmSync(file);
    const { outputFiles } = await build({
      absWorkingDir: root,
      entryPoints: [...entries.map((path) => ({ in: path, out: path.replace(/^src\/|\.ts$/g, '') })), CORE],
      outdir: 'build',
      bundle: true,
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      format: 'esm',
      platform: 'neutral',
      target: 'es2022',
      // Classic scripts on pages without a charset are not read as UTF-8.
      charset: 'ascii',
      // Constants of layout.ts become literals.
      minifySyntax: true,
      minifyWhitespace: true,
      sourcemap: 'external',
      external: ['node:*'],
      logLevel: 'warning',
      write: false,
    });
    if (!isShort) {
      for (const { path, text } of outputFiles.filter(({ path }) => path.endsWith('.js'))) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
      return;
    }
    const made = outputFiles.filter(({ path }) => !path.includes(CORE.out)); // the core itself is in a chunk
    const texts = await joinCore(new Map(made.map(({ path, text }) => [path, text])));
    for (const [path, text] of texts) {
      if (path.endsWith('.js')) await shorten(path, importsOnce(coreFirst(text)), texts.get(`${path}.map`));
    }
  });
}

/**
 * A module with the import of the inlined core before all others: so bundlers put its text at the beginning. Between
 * two parts of the code it would fill the 32 KB in which gzip looks for repetitions, and cost 0.5 KB. The module keeps
 * its length: source maps count columns.
 */
function coreFirst(text) {
  const [statement] = text.match(/import\{[^}]*\bwasmBytes\b[^}]*\}from"[^"]+";/) ?? [];
  return statement === undefined ? text : statement + text.replace(statement, '');
}

/** A module without the imports of no names from what it has imported before: esbuild writes one for each source. */
function importsOnce(text) {
  const seen = new Set();
  const [head] = text.match(/^(?:import(?:\{[^}]*\}from)?"[^"]+";)*/);
  const once = head.replace(/import(\{[^}]*\}from)?"([^"]+)";/g, (statement, names, specifier) => {
    const isAgain = names === undefined && seen.has(specifier);
    seen.add(specifier);
    return isAgain ? ' '.repeat(statement.length) : statement;
  });
  return once + text.slice(head.length);
}

/** What a module of the bundle imports: specifier -> file. */
function importsOf(path, text) {
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport)"(\.[^"]+\.js)"/g)].map(([, specifier]) => specifier);
  return new Map(specifiers.map((specifier) => [specifier, join(dirname(path), specifier)]));
}

/** The chunks that an entry reaches. */
function chunksOf(entry, texts, reached = new Set()) {
  for (const path of importsOf(entry, texts.get(entry)).values()) {
    if (!reached.has(path)) chunksOf(path, texts, reached.add(path));
  }
  return reached;
}

/**
 * Joins the chunks that a thread loads to attach: those that an audio thread needs as well, of the others those that
 * packets need, and the rest. esbuild makes one for each combination of entries, and each file costs a worker of Node a
 * millisecond. Not all in one: a bundler drops a module that is not used, but keeps of one that is used each class with
 * a method named by a symbol. What pagepool/border loads stays apart.
 */
async function joinCore(texts) {
  let joined = texts;
  const done = new Set();
  for (const other of ['worklet', 'packet', 'attach']) {
    const reached = (entry) => chunksOf(join(buildDir, `${entry}.js`), joined);
    const [border, others] = [reached('border'), reached(other)];
    const group = [...reached('attach')].filter((path) => others.has(path) && !border.has(path) && !done.has(path));
    joined = await joinChunks(joined, new Set(group));
    for (const path of joined.keys()) if (!texts.has(path)) done.add(path);
  }
  return joined;
}

/** Makes one chunk of several, and links the others to it. Names keep their length: source maps count columns. */
async function joinChunks(texts, joined) {
  const names = new Map();
  for (const path of joined) {
    for (const name of texts
      .get(path)
      .match(/export\{([^}]*)\};?\s*$/)?.[1]
      .split(',') ?? []) {
      const alias = name.split(' as ').at(-1);
      if (names.has(alias)) throw new Refusal(`chunks: ${alias} is exported by two that are joined (expected one)`);
      names.set(alias, path);
    }
  }
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: [...joined].map((path) => `export * from ${JSON.stringify(path)};`).join('\n') },
    outdir: join(buildDir, 'chunks'),
    entryNames: 'chunk-[hash]',
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    charset: 'ascii',
    minifyWhitespace: true,
    sourcemap: 'external',
    write: false,
    logLevel: 'warning',
    plugins: [
      {
        name: 'chunks',
        setup({ onLoad, onResolve }) {
          onResolve({ filter: /./ }, ({ importer, path }) => {
            const file = importer.endsWith('.js') ? join(dirname(importer), path) : path;
            return joined.has(file) ? { path: file, namespace: 'chunk' } : { path, external: true };
          });
          onLoad({ filter: /./, namespace: 'chunk' }, ({ path }) => {
            const map = Buffer.from(texts.get(`${path}.map`)).toString('base64');
            return { contents: `${texts.get(path)}\n//# sourceMappingURL=data:application/json;base64,${map}` };
          });
        },
      },
    ],
  });
  const core = outputFiles.find(({ path }) => path.endsWith('.js')).path;
  const rest = new Map();
  for (const [path, text] of texts) {
    if (joined.has(path.replace(/\.map$/, ''))) continue;
    let linked = text;
    for (const [specifier, file] of path.endsWith('.js') ? importsOf(path, text) : []) {
      if (!joined.has(file)) continue;
      const other = specifier.replace(basename(file), basename(core));
      if (other.length !== specifier.length) throw new Refusal(`chunks: ${other} is no name like ${specifier}`);
      linked = linked.replaceAll(`"${specifier}"`, `"${other}"`);
    }
    rest.set(path, linked);
  }
  for (const { path, text } of outputFiles) rest.set(path, text);
  return rest;
}

/**
 * What is written shorter, beside names: a variable that is used once goes where it is used, and what is always the
 * same is computed. No function moves into another one, so the calls of the hot paths stay what they are, and a
 * statement stays one.
 */
const COMPRESS = {
  ...{ ecma: 2022, passes: 2, hoist_props: true },
  ...{ inline: 0, reduce_funcs: false, sequences: false, join_vars: false, toplevel: false },
  ...{ conditionals: false, if_return: false },
  ...{ keep_classnames: true, keep_fnames: true },
};

/**
 * Writes a module with short names for what is inside its functions, and its source map below build/maps. Functions
 * and classes keep their names, and statements a line each: stacks and heap snapshots of an installed package stay
 * readable.
 * The maps are for scripts/source-lines.mjs: they are twice as large as the modules, and not published.
 */
async function shorten(path, text, map) {
  // A class is `var Name = class ...` by now.
  const reserved = [...text.matchAll(/\b(?:var |,)([\w$]+)=class\b/g)].map(([, name]) => name);
  const { code, map: shortMap } = await minify(text, {
    module: true,
    compress: COMPRESS,
    mangle: { keep_classnames: true, keep_fnames: true, reserved },
    format: { ascii_only: true, preserve_annotations: true, semicolons: false },
    sourceMap: { content: map },
  });
  if (code.includes('import.meta')) {
    throw new Refusal(`${path}: import.meta is used (expected none: bundlers resolve it differently)`);
  }
  const mapPath = join(buildDir, 'maps', `${relative(buildDir, path)}.map`);
  for (const folder of [dirname(path), dirname(mapPath)]) mkdirSync(folder, { recursive: true });
  writeFileSync(path, code);
  writeFileSync(mapPath, shortMap);
}

async function declare() {
  const inputs = ['src', 'assembly/layout.ts', 'tsconfig.json', 'tsconfig.types.json', 'package.json', 'scripts'];
  const outputs = entryPoints()
    .filter((path) => existsSync(join(root, path)))
    .map((path) => path.replace('src/', 'build/').replace(/\.ts$/, '.d.ts'));
  return unlessFresh('types', { inputs, outputs }, async () => {
    rmSync(join(buildDir, 'generated/types'), { recursive: true, force: true });
    const { code, output } = await runNode([tools.tsc, '--project', 'tsconfig.types.json'], { capture: true });
    if (code !== 0) throw new Refusal(`tsc could not write declarations:\n${output}`);
    publishTypes(outputs);
  });
}

/**
 * Builds what is out of date. Says one line for each part that it made.
 * @param {{ targets?: string[], isTyped?: boolean, isShort?: boolean, hasPage?: boolean }} [parts] fewer than all of
 *   them, for `npm run mutants`: no declarations, long names, the inspector's page as it is
 */
export async function buildAll({ targets = wasmTargets, isTyped = true, isShort = true, hasPage = true } = {}) {
  await withBuildLock(async () => {
    const started = performance.now();
    const made = [];
    if (await buildWasm(targets)) made.push('wasm');
    for (const [name, text] of Object.entries(await inlineCore())) {
      const path = join(buildDir, 'generated', name);
      if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
      mkdirSync(join(buildDir, 'generated'), { recursive: true });
      writeFileSync(path, text);
      if (name.endsWith('.js')) made.push(name);
    }
    if (hasPage && (await inspectorFiles())) made.push('inspector');
    if (await bundle(isShort)) made.push('bundle');
    if (isTyped && (await declare())) made.push('types');
    if (made.length > 0) console.log(`built ${made.join(', ')} in ${Math.round(performance.now() - started)} ms`);
  });
}

if (isMain(import.meta.url)) await runScript(() => buildAll());
