// The installed package through each bundler with its defaults, and without one: no warning, and the result works in
// Chromium.
//
// Each bundler gets an entry and a place for its output and nothing more, from its own command line in the consumer's
// project; webpack has the configuration of docs/web.md for worklets. Each result is served as a site of its own, with
// COOP and COEP; page and worker hand fragments to each other, and an audio worklet hands its blocks to the page.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toolPath } from '../../scripts/toolchain.mjs';
import { type Browser, launchChromium } from '../support/browsers.js';
import { casesOfRun } from '../support/lane.js';
import { consumer } from './support/consumer.js';
import { type ExchangeResult, expectedExchange } from './support/expected.js';
import { record } from './support/record.js';
import { run } from './support/run.js';
import { openSite } from './support/sites.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A page, and the script that it starts in another thread. */
interface Program {
  readonly main: string;
  readonly second: string;
}

interface Bundler {
  readonly name: string;
  /** How the page gets its worker, and its worklet by `workletUrl`. */
  readonly worker: string;
  readonly manifest: string;
  /** The folder below sites/. */
  readonly folder: string;
  /** The page with its worker, and the page with its worklet. */
  readonly programs?: { readonly exchange: Program; readonly worklet: Program };
  command(program: Program, site: string): readonly [string, ...string[]];
  /** What the command prints when all is well. */
  readonly prints?: string;
  /** The page for the result; a bundler that makes its own of one that is there says where in the site. */
  readonly page?: (program: Program) => string;
  readonly result?: string;
}

const STANDARD = "`new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })`";
const moduleScript = (path: string): string => `<script type="module" src="${path}"></script>`;
const PROGRAMS = {
  exchange: { main: 'web-main', second: 'web-worker' },
  worklet: { main: 'worklet-main', second: 'worklet-processor' },
};
const vite = (site: string): readonly [string, ...string[]] => [
  process.execPath,
  toolPath('vite/bin/vite.js'),
  ...['build', site, '--logLevel=warn'],
];

const bundlers: Bundler[] = [
  {
    name: 'esbuild',
    worker: `${STANDARD}, the worker as a second entry`,
    manifest: join(root, 'node_modules/esbuild/package.json'),
    folder: 'esbuild',
    command: ({ main, second }, site) => [
      join(root, 'node_modules/.bin/esbuild'),
      ...[`src/${main}.js`, `src/${second}.js`, '--bundle', '--format=esm', `--outdir=${site}`],
      '--log-level=warning',
    ],
    page: ({ main }) => moduleScript(`./${main}.js`),
  },
  {
    name: 'Vite',
    worker: STANDARD,
    manifest: toolPath('vite/package.json'),
    folder: 'vite',
    command: (_, site) => vite(site),
    result: 'dist',
  },
  {
    name: 'Vite',
    worker: "`import ExchangeWorker from './worker.js?worker'`",
    manifest: toolPath('vite/package.json'),
    folder: 'vite-query',
    programs: {
      exchange: { main: 'vite-query-main', second: '' },
      worklet: { main: 'vite-query-worklet', second: '' },
    },
    command: (_, site) => vite(site),
    result: 'dist',
  },
  {
    name: 'webpack',
    worker: STANDARD,
    manifest: toolPath('webpack/package.json'),
    folder: 'webpack',
    command: (program, site) => [
      ...([process.execPath, toolPath('webpack-cli/bin/cli.js')] as const),
      ...[`./src/${program.main}.js`, `--output-path=${site}`, '--mode=production', '--stats=errors-warnings'],
      ...(program === PROGRAMS.worklet ? ['--config=sites/webpack.config.js'] : []),
    ],
    prints: 'webpack compiled successfully',
    page: () => '<script src="./main.js"></script>',
  },
  {
    name: 'Rollup',
    worker: `${STANDARD}, the worker as a second entry`,
    manifest: toolPath('rollup/package.json'),
    folder: 'rollup',
    command: ({ main, second }, site) => [
      ...([process.execPath, toolPath('rollup/dist/bin/rollup')] as const),
      ...[`src/${main}.js`, `src/${second}.js`, `--dir=${site}`, '--plugin=node-resolve'],
      ...['--silent', '--failAfterWarnings'],
    ],
    page: ({ main }) => moduleScript(`./${main}.js`),
  },
];

/** What Vite says of its own plugins where the machine is slow. */
const SLOW_MACHINE = /^\[PLUGIN_TIMINGS\].*\n(?:.*\n)*?See .*#bundlertimings .*$/m;

let browser: Browser;

/** Writes a page that names no charset: a classic script is then not read as UTF-8. */
function writePage(folder: string, content: string): void {
  mkdirSync(join(consumer, folder), { recursive: true });
  writeFileSync(join(consumer, folder, 'index.html'), `<!doctype html><title>exchange</title>${content}\n`);
}

beforeAll(async () => {
  const guide = readFileSync(join(root, 'docs/web.md'), 'utf8');
  const [, config = ''] = /^```js file=webpack\.config\.js\n([\s\S]*?)^```$/m.exec(guide) ?? [];
  mkdirSync(join(consumer, 'sites'), { recursive: true });
  writeFileSync(join(consumer, 'sites/webpack.config.js'), config);
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** What this project builds with, and the one that most pages are built with; the others in the long run. */
const some = casesOfRun({ short: bundlers.slice(0, 2), long: bundlers.slice(2) });

describe.each(some)('$name, $worker', (bundler) => {
  const { name, worker, manifest, folder, programs = PROGRAMS, command, prints = '', result = '', page } = bundler;

  /** Bundles the program with an entry and an output, without a warning, and opens what came out. */
  async function bundle(program: Program, site: string): Promise<unknown> {
    if (page === undefined) writePage(site, moduleScript(`../../src/${program.main}.js`));
    const [file, ...args] = command(program, site);
    const { stdout, stderr, end } = await run(file, args, consumer);
    const output = stripVTControlCharacters(stdout + stderr)
      .replace(SLOW_MACHINE, '')
      .trim();
    expect({ end, output }).toEqual({ end: 0, output: prints });
    if (page !== undefined) writePage(site, page(program));
    return openSite(browser, join(consumer, site, result), '/');
  }

  test('page and worker hand fragments to each other in Chromium', async () => {
    const { exchange, features } = (await bundle(programs.exchange, `sites/${folder}`)) as ExchangeResult;
    expect(exchange).toEqual(expectedExchange);
    expect(features).toEqual({ waitAsync: true, locks: true, dispose: true });
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    record('bundlers', bundlers.indexOf(bundler), {
      name,
      version,
      worker,
      browser: browser.version.replace(/^\w+\//, 'Chromium '),
    });
  });

  test('an audio worklet, by workletUrl, sends its blocks to the page in Chromium', async () => {
    expect(await bundle(programs.worklet, `sites/${folder}-worklet`)).toEqual({
      worklet: { blocks: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], balanced: true, isDestroyed: true },
    });
  });
});

/**
 * What Vite makes of a worker that only attaches, bytes, not compressed: half of what it was when such a worker loaded
 * the whole package, and a little above what it is.
 */
const WORKER_BYTES_MAX = 65_500;

test('Vite gives each of two workers that only attach a small chunk, and the page works in Chromium', async () => {
  const site = 'sites/two-workers';
  writePage(site, moduleScript('../../src/two-workers-main.js'));
  const [file, ...args] = vite(site);
  const { end } = await run(file, args, consumer);
  expect(end).toBe(0);
  const assets = join(consumer, site, 'dist/assets');
  const sizes = readdirSync(assets)
    .filter((name) => name.startsWith('two-workers-'))
    .map((name) => statSync(join(assets, name)).size);
  console.log(`Vite: workers of ${sizes.join(' and ')} bytes`);
  expect(sizes.length).toBe(2);
  for (const size of sizes) expect(size).toBeLessThanOrEqual(WORKER_BYTES_MAX);
  const result = { byte: 4, balanced: true, isDestroyed: true };
  expect(await openSite(browser, join(consumer, site, 'dist'), '/')).toEqual(result);
});

test('works unbundled in Chromium: from an import map, and by its URL in the worker', async () => {
  const map = '<script type="importmap">{"imports":{"pagepool":"/node_modules/pagepool/build/index.js"}}</script>';
  writePage('sites/unbundled', map + moduleScript('/src/unbundled-main.js'));
  const { exchange } = (await openSite(browser, consumer, '/sites/unbundled/')) as ExchangeResult;
  expect(exchange).toEqual(expectedExchange);
  record('bundlers', bundlers.length, {
    name: 'none',
    version: '',
    worker: 'an import map for the page, `import` by URL in the worker',
    browser: browser.version.replace(/^\w+\//, 'Chromium '),
  });
});
