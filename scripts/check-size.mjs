// The size of the entries: build/index.js and build/lean.js with the chunks they import and the Wasm inside, and what
// the others add to lean.js, gzipped.
//
// pagepool has all that its programs may need. The budget of 48 KB is met by pagepool/lean, which has nothing of what
// is in entries of their own, that a program imports beside it where it needs them: the TypeScript engine, 10 KB, since
// the core reaps dead ports and serves memory of one thread as well; what serves providers, 9 KB, since most pools have
// no memory but their own; calls, 2.6 KB, which whoever only creates a pool never asks; what follows leaks, 1.6 KB,
// which no thread does unasked. Of the rest the Wasm takes 8 KB, and waiting 10: bells, sends that wait, iterators, and
// the reports of standstills, which every program gets unasked. 3 KB are for refusals: what looks at words that were
// overwritten, and at arguments without running their code. attach() and createSync() are synchronous, so that no part
// can be loaded later. The limit below keeps the entry from growing.
// --json prints the sizes in bytes for other programs.
//
// What a thread loads that only attaches: channels, fragments and the pool itself are 8 KB, waits and handles 6, the
// shared words with the share's checks 4, messages of errors 1.6. All of it is asked for by what another thread has
// created: attach() cannot load it later. What is said twice costs little, gzipped: only what goes makes the entry
// smaller. An audio thread waits for nothing: it is within its budget.
//
// pagepool/packet has two things that a program rarely uses together: packets, 7 KB, and records with lines of text, 3
// KB. A bundler leaves out what is not imported. Half a KB of each entry that copies is the choice of the way to copy.
//
// The entry for consumers that are not trusted is theirs to load: it stays small, and has nothing of the core and no
// Wasm in it.

import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { pageParts } from './inline-inspector.mjs';
import { buildDir, kilobytes, Refusal, root, runScript } from './support.mjs';

const CORE_BUDGET_BYTES = 48 * 1024;
const CORE_LIMIT_BYTES = 47.75 * 1024;
const WHOLE_LIMIT_BYTES = 71.25 * 1024;
/** What a thread loads that only attaches: each entry alone. */
const LIGHT_BUDGET_BYTES = { attach: 22 * 1024, worklet: 18 * 1024 };
const LIGHT_LIMIT_BYTES = { attach: 20.25 * 1024, worklet: 11.625 * 1024 };
/** What only whoever creates, watches or repairs pools needs. */
const NOT_LIGHT = new RegExp(
  '^(?:build|src/(?:engine/(?:core|acting|typescript)|recovery/(?!own-lock)|leaks|pool/(?:calls|replies|serving)\\.|' +
    'provider|reports|supply/(?!callbacks|loaded)))',
);
/** What programs load by entries of their own. */
const NOT_CORE =
  /^src\/(?:engine\/typescript|pool\/(?:calls|replies|serving)\.ts|leaks\/(?!report)|pool\/track-port|provider\/(?:slabs|user-area)|supply\/(?!callbacks|loaded))/;
const USER_LIMIT_BYTES = 3 * 1024;
/** The inspector's page, as a browser loads it. */
const PAGE_LIMIT_BYTES = 60 * 1024;
/** What an entry adds to a program that uses the core. Packets of new memory, and sends that wait, are 0.7 KB. */
const ADDED_LIMIT_BYTES = {
  calls: 3 * 1024,
  typescript: 10 * 1024,
  providers: 9.5 * 1024,
  packet: 12 * 1024,
  border: 6 * 1024,
  web: 15 * 1024,
};

/** A file and what it imports statically by relative path. */
function closure(file, done = new Set()) {
  if (done.has(file)) return done;
  done.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)\b[^'"]*?(?:from\s*)?["'](\.[^'"]+)["']/gm,
  )) {
    closure(join(dirname(file), path), done);
  }
  return done;
}

/**
 * What is made of `contents` with all that it needs, minified: its size gzipped, its text, and the files that it is
 * made of.
 */
async function bundle(contents) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    external: ['node:*'],
    charset: 'utf8',
    metafile: true,
    logLevel: 'error',
    write: false,
  });
  const [output] = outputFiles;
  const [{ inputs: parts }] = Object.values(metafile.outputs);
  const inputs = Object.keys(parts).filter((path) => path !== '<stdin>' && parts[path].bytesInOutput > 0);
  return { bytes: gzipSync(output.contents, { level: 9 }).length, text: output.text, inputs };
}

/** Prints a size with what is left of its limit, and throws when it is over. */
function hold(what, bytes, limit) {
  const line = `${what}: ${number(bytes)} bytes minified and gzipped (at most ${number(limit)}`;
  if (bytes > limit) throw new Refusal(`${line}: ${number(bytes - limit)} too many)`);
  console.log(`${line}: ${number(limit - bytes)} left)`);
}

function number(bytes) {
  return bytes.toLocaleString('en');
}

await runScript(async () => {
  const files = [...closure(join(buildDir, 'lean.js'))];
  const plain = gzipSync(files.map((file) => readFileSync(file, 'utf8')).join('\n'), { level: 9 }).length;
  const core = "export * from './build/lean.js';";
  const whole = (await bundle("export * from './build/index.js';")).bytes;
  const minified = (await bundle(core)).bytes;
  const added = {};
  for (const entry of Object.keys(ADDED_LIMIT_BYTES)) {
    added[entry] =
      (await bundle(`${core} export * from './build/${entry}.js'; import './build/${entry}.js';`)).bytes - minified;
  }
  const light = {};
  for (const entry of Object.keys(LIGHT_LIMIT_BYTES))
    light[entry] = await bundle(`export * from './build/${entry}.js';`);
  const user = await bundle("export * from './src/user.ts';");
  const wasm = statSync(join(buildDir, 'wasm/core.release.wasm')).size;
  if (process.argv.includes('--json'))
    return console.log(
      JSON.stringify({ plain, minified, whole, attach: light.attach.bytes, ...added, user: user.bytes, wasm }),
    );
  const over = minified - CORE_BUDGET_BYTES;
  const verdict = over > 0 ? `missed by ${number(over)} bytes` : 'met';
  console.log(
    `pagepool/lean: ${kilobytes(plain)} gzipped as shipped; the budget of ${kilobytes(CORE_BUDGET_BYTES)} is ${verdict}`,
  );
  hold('pagepool/lean', minified, CORE_LIMIT_BYTES);
  hold('pagepool', whole, WHOLE_LIMIT_BYTES);
  const others = (await bundle("export * from './src/lean.ts';")).inputs.filter((path) => NOT_CORE.test(path));
  if (others.length > 0) throw new Refusal(`pagepool/lean contains ${others} (expected nothing of other entries)`);
  const stated = readFileSync(join(root, 'README.md'), 'utf8').match(
    /`pagepool` is (\d+) KB\*\* gzipped, `pagepool\/lean` (\d+)/,
  );
  const sizes = [whole, minified].map((bytes) => `${Math.round(bytes / 1024)}`);
  if (stated?.slice(1).join() !== sizes.join())
    throw new Refusal(`README.md, Limits: the entries are ${stated?.slice(1)} KB (expected ${sizes})`);
  for (const [entry, limit] of Object.entries(LIGHT_LIMIT_BYTES)) {
    const { bytes } = light[entry];
    const missed = bytes - LIGHT_BUDGET_BYTES[entry];
    const verdict = missed > 0 ? `missed by ${number(missed)} bytes` : 'met';
    console.log(`pagepool/${entry}: the budget is ${kilobytes(LIGHT_BUDGET_BYTES[entry])}, ${verdict}`);
    hold(`pagepool/${entry}`, bytes, limit);
    const heavy = (await bundle(`export * from './src/${entry}.ts';`)).inputs.filter((path) => NOT_LIGHT.test(path));
    if (heavy.length > 0)
      throw new Refusal(`pagepool/${entry} contains ${heavy} (expected nothing that only creating a pool needs)`);
  }
  const unused = await bundle(
    "import { PagePool } from './build/lean.js'; import { attach } from './build/attach.js';",
  );
  if (unused.inputs.length > 0) throw new Refusal(`a program that uses no pool contains ${unused.inputs}`);
  const forWorkers = Number(
    readFileSync(join(root, 'README.md'), 'utf8').match(/`pagepool\/attach` for workers (\d+)\b/)?.[1],
  );
  if (forWorkers !== Math.round(light.attach.bytes / 1024))
    throw new Refusal(`README.md, Limits: pagepool/attach is ${forWorkers} KB (expected ${light.attach.bytes} bytes)`);
  hold('pagepool/user', user.bytes, USER_LIMIT_BYTES);
  const foreign = user.inputs.filter((path) => !/^src\/user(?:\/|\.ts$)/.test(path));
  if (foreign.length > 0) throw new Refusal(`pagepool/user contains ${foreign} (expected nothing of the core)`);
  if (user.text.includes('WebAssembly')) throw new Refusal('pagepool/user names WebAssembly (expected none of it)');
  const page = Object.values(await pageParts()).reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0);
  hold("the inspector's page", page, PAGE_LIMIT_BYTES);
  for (const [entry, limit] of Object.entries(ADDED_LIMIT_BYTES)) {
    hold(`what pagepool/${entry} adds`, added[entry], limit);
  }
});
