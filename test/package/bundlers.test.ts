// The installed package through each bundler with its defaults, and without one: no warning, and the result works in
// Chromium.
//
// Each bundler gets an entry and a place for its output and nothing more, from its own command line in the consumer's
// project. Each result is served as a site of its own, with COOP and COEP; page and worker hand fragments to each
// other.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toolPath } from '../../scripts/toolchain.mjs';
import { type Browser, launchChromium } from '../support/browsers.js';
import { consumer } from './support/consumer.js';
import { type ExchangeResult, expectedExchange } from './support/expected.js';
import { record } from './support/record.js';
import { run } from './support/run.js';
import { openSite } from './support/sites.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Bundler {
  readonly name: string;
  /** How the page gets its worker. */
  readonly worker: string;
  readonly manifest: string;
  readonly command: readonly [string, ...string[]];
  /** What the command prints when all is well. */
  readonly prints?: string;
  /** The folder with the result, and the page to put there; none where the bundler writes one. */
  readonly site: string;
  readonly page?: string;
}

const STANDARD = "`new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })`";
const moduleScript = (path: string): string => `<script type="module" src="${path}"></script>`;

const bundlers: Bundler[] = [
  {
    name: 'esbuild',
    worker: `${STANDARD}, the worker as a second entry`,
    manifest: join(root, 'node_modules/esbuild/package.json'),
    command: [
      join(root, 'node_modules/.bin/esbuild'),
      ...['src/web-main.js', 'src/web-worker.js', '--bundle', '--format=esm', '--outdir=sites/esbuild'],
      '--log-level=warning',
    ],
    site: 'sites/esbuild',
    page: moduleScript('./web-main.js'),
  },
  {
    name: 'Vite',
    worker: STANDARD,
    manifest: toolPath('vite/package.json'),
    command: [process.execPath, toolPath('vite/bin/vite.js'), 'build', 'sites/vite', '--logLevel=warn'],
    site: 'sites/vite/dist',
  },
  {
    name: 'Vite',
    worker: "`import ExchangeWorker from './worker.js?worker'`",
    manifest: toolPath('vite/package.json'),
    command: [process.execPath, toolPath('vite/bin/vite.js'), 'build', 'sites/vite-query', '--logLevel=warn'],
    site: 'sites/vite-query/dist',
  },
  {
    name: 'webpack',
    worker: STANDARD,
    manifest: toolPath('webpack/package.json'),
    command: [
      ...([process.execPath, toolPath('webpack-cli/bin/cli.js')] as const),
      ...['./src/web-main.js', '--output-path=sites/webpack', '--mode=production', '--stats=errors-warnings'],
    ],
    prints: 'webpack compiled successfully',
    site: 'sites/webpack',
    page: '<script src="./main.js"></script>',
  },
  {
    name: 'Rollup',
    worker: `${STANDARD}, the worker as a second entry`,
    manifest: toolPath('rollup/package.json'),
    command: [
      ...([process.execPath, toolPath('rollup/dist/bin/rollup')] as const),
      ...['src/web-main.js', 'src/web-worker.js', '--dir=sites/rollup', '--plugin=node-resolve'],
      ...['--silent', '--failAfterWarnings'],
    ],
    site: 'sites/rollup',
    page: moduleScript('./web-main.js'),
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
  browser = await launchChromium();
});
afterAll(() => browser?.close());

describe.each(bundlers)('$name, $worker', (bundler) => {
  const { name, worker, manifest, command, prints = '', site, page } = bundler;

  test('bundles with an entry and an output, without a warning', async () => {
    writePage('sites/vite', moduleScript('../../src/web-main.js'));
    writePage('sites/vite-query', moduleScript('../../src/vite-query-main.js'));
    const { stdout, stderr, end } = await run(command[0], command.slice(1), consumer);
    const output = (stdout + stderr).replace(SLOW_MACHINE, '').trim();
    expect({ end, output }).toEqual({ end: 0, output: prints });
  });

  test('works in Chromium: page and worker hand fragments to each other', async () => {
    if (page !== undefined) writePage(site, page);
    const { exchange, features } = (await openSite(browser, join(consumer, site), '/')) as ExchangeResult;
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
