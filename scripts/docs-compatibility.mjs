// Runs the package tests of runtimes, bundlers and compilers, and writes what they found into docs/compatibility.md.
//
// Between <!-- results NAME --> and <!-- /results --> stands one row a result: what is written there by hand is
// replaced. A run with a failed or skipped test changes nothing.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDir, isMain, Refusal, root, runNode, runScript, tools } from './support.mjs';
import { ensureToolchain } from './toolchain.mjs';

const DOCUMENT = 'docs/compatibility.md';
const REGION = /(<!-- results (\w+) -->\n)[\s\S]*?(<!-- \/results -->)/g;
const results = join(buildDir, 'test-reports/compatibility');

const yes = (fact) => (fact ? 'yes' : 'no');

/** For each table: its head, and the cells of a result. */
const tables = {
  runtimes: {
    head: [
      'runtime',
      'version',
      'threads by',
      '`Atomics.waitAsync`',
      'Web Locks',
      'a top-level `await` alone, with `ref: false`',
    ],
    cells: ({ name, version, threads, features, alone }) => [
      name,
      version,
      threads.join(', '),
      yes(features.waitAsync),
      yes(features.locks),
      alone,
    ],
  },
  adapters: {
    head: ['runtime', 'connectInto', 'by TLS', 'serveInto', 'readFileInto', 'HTTP bodies', 'UDP', 'writePacket'],
    cells: ({ name, adapters }) => [name, ...Object.values(adapters)],
  },
  bundlers: {
    head: ['bundled by', 'version', 'the page gets its worker by', 'run in'],
    cells: ({ name, version, worker, browser }) => [name, version, worker, browser],
  },
  types: {
    head: ['TypeScript', 'mode', 'libraries'],
    cells: ({ version, modes }) => [
      version,
      modes.map(({ name }) => name).join('<br>'),
      modes.map(({ libraries }) => libraries.join('; ')).join('<br>'),
    ],
  },
};

/** The results that the last run left, by table and in the tests' order. */
export function readResults(folder = results) {
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  const read = (name) =>
    files.filter((file) => file.startsWith(`${name}-`)).map((file) => readJson(join(folder, file)));
  return Object.fromEntries(Object.keys(tables).map((name) => [name, read(name)]));
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/**
 * The document with its tables made anew.
 * @param {string} text
 * @param {Record<string, object[]>} found
 */
export function fillResults(text, found) {
  const filled = new Set();
  const result = text.replace(REGION, (_, open, name, close) => {
    if (tables[name] === undefined) throw new Refusal(`${DOCUMENT}: no results are called ${name}`);
    if (found[name].length === 0) throw new Refusal(`the run left no results for ${name}`);
    filled.add(name);
    const { head, cells } = tables[name];
    const row = (words) => `| ${words.map((word) => String(word).replaceAll('|', '\\|')).join(' | ')} |`;
    const rows = [row(head), `|${'---|'.repeat(head.length)}`, ...found[name].map((one) => row(cells(one)))];
    return `${open}\n${rows.join('\n')}\n\n${close}`;
  });
  const missing = Object.keys(tables).filter((name) => !filled.has(name));
  if (missing.length > 0) throw new Refusal(`${DOCUMENT}: no region for ${missing.join(', ')}`);
  return result;
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    rmSync(results, { recursive: true, force: true });
    const short = ['runtimes', 'bundlers', 'types'];
    const long = ['runtimes-between.long', 'bundlers.long', 'types.long'];
    const missing = ensureToolchain();
    if (missing.length > 0) throw new Refusal(`${missing.join('\n')}\n${DOCUMENT} stays as it was`);
    for (const [project, names, env] of [
      ['package', short, {}],
      ['long-package', long, { LONG: '1' }],
    ]) {
      const files = names.map((name) => `test/package/${name}.test.ts`);
      const { code } = await runNode([tools.vitest, 'run', '--project', project, ...files], {
        env: { ...process.env, ...env },
      });
      if (code !== 0) throw new Refusal(`the run failed: ${DOCUMENT} stays as it was`);
    }
    const file = join(root, DOCUMENT);
    writeFileSync(file, fillResults(readFileSync(file, 'utf8'), readResults()));
    console.log(`wrote ${DOCUMENT}`);
  });
}
