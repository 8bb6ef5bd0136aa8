// docs/browser.md, followed: its files and headers as they are printed, in Chromium and Firefox, and what the console
// must show.
//
// A block names what it is behind its language: `file=NAME` or `headers=NAME`. A comment behind console.log says what
// is printed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as bundle } from 'esbuild';
import { build, createServer, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox, type Page, untilPrinted } from '../support/browsers.js';
import { casesOfRun } from '../support/lane.js';
import { HOME, play } from '../support/pages.js';
import { type Headers, ISOLATION, serve } from '../support/serve.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guide = readFileSync(join(root, 'docs/browser.md'), 'utf8');

/** The blocks of one kind by name. */
function blocks(kind: 'file' | 'headers'): Map<string, string> {
  const pattern = new RegExp(`^\`\`\`\\w+ ${kind}=(\\S+)\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return new Map([...guide.matchAll(pattern)].map(([, name, text]) => [name as string, text as string]));
}

const files = blocks('file');
const headerBlocks = blocks('headers');

/** The headers that a block sets, in the notation of HTTP, nginx or a `_headers` file. */
function headersOf(name: string): Headers {
  const text = headerBlocks.get(name) ?? '';
  const lines = [...text.matchAll(/^\s*(?:add_header )?([A-Z][\w-]+):? (.+?)(?: always;)?$/gm)];
  return Object.fromEntries(lines.map(([, header, value]) => [header as string, value as string]));
}

/** A text as it reads, wherever its lines break. */
function inOneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}

/** What a page's script promises to print, in order. */
function promisesOf(script: string): string[] {
  return [...(files.get(script) ?? '').matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1] as string);
}

const PATH_OF_PACKAGE = /\.\/node_modules\/pagepool\/build\/(\w+)\.js/g;
const byName = (_: string, entry: string): string => (entry === 'index' ? 'pagepool' : `pagepool/${entry}`);
/** Folders of build/ that are not part of the package. */
const NOT_SHIPPED = ['generated', 'tools', 'test-reports'];

/** A folder as the guide has it: its files, and the package installed, imported by path or by name. */
function makeFolder(name: string, importBy: 'path' | 'name'): string {
  const folder = join(root, 'build/tools', name);
  const installed = join(folder, 'node_modules/pagepool');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  cpSync(join(root, 'package.json'), join(installed, 'package.json'));
  for (const part of readdirSync(join(root, 'build')).filter((part) => !NOT_SHIPPED.includes(part))) {
    cpSync(join(root, 'build', part), join(installed, 'build', part), { recursive: true });
  }
  for (const [file, text] of files) {
    writeFileSync(join(folder, file), importBy === 'path' ? text : text.replace(PATH_OF_PACKAGE, byName));
    if (isPageScript(file)) writeFileSync(join(folder, pageFor(file)), pageText(file));
  }
  return folder;
}

/** The page's text; index.html starts page.js, every other script has a page of its own. */
function pageText(script: string): string {
  const html = files.get('index.html') as string;
  expect(html).toContain('src="page.js"');
  return html.replace('page.js', script);
}

function pageFor(script: string): string {
  return script === 'page.js' ? 'index.html' : `${script}.html`;
}

function isPageScript(file: string): boolean {
  return file === 'start.js' || promisesOf(file).length > 0;
}

/** The guide's own server, started as it says; resolves with what it prints. */
async function startServer(folder: string) {
  const child = spawn(process.execPath, ['server.mjs'], {
    cwd: folder,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { origin: line.toString().trim(), close: async () => void (child.kill() && (await once(child, 'close'))) };
}

/** What the page printed and the errors it had, when there are as many lines as promised, or an error. */
async function outcome(page: Page, count: number): Promise<object> {
  // Firefox reports what its policy blocks, also where the package falls back.
  const errors = (): string[] => page.errors.filter((error) => !error.includes('blocked WebAssembly'));
  await untilPrinted(page, count, errors);
  return { printed: page.printed, errors: errors() };
}

describe('the guide', () => {
  test('has no block that is not followed', () => {
    const named = [...guide.matchAll(/^```\w+ (?:file|headers)=(\S+)$/gm)].map((match) => match[1]);
    const all = guide.match(/^```\w.*$/gm) ?? [];
    expect(all).toHaveLength(named.length);
    expect(named).toHaveLength(files.size + headerBlocks.size);
    const text = [...files.values()].join('');
    const helpers = [...files.keys()].filter((file) => !isPageScript(file) && file !== 'index.html');
    for (const file of helpers) expect(text.includes(file) || STARTED.includes(file), file).toBe(true);
    expect([...headerBlocks.keys()].sort()).toEqual(FOLLOWED_HEADERS.sort());
    for (const name of headerBlocks.keys()) expect(Object.keys(headersOf(name)).length, name).toBeGreaterThan(0);
  });
});

/** Files that a tool starts, named by no other file. */
const STARTED = ['server.mjs', 'vite.config.js'];
const FOLLOWED_HEADERS = ['nginx', 'static-host', 'credentialless', 'document-isolation', 'csp', 'csp-strict'];
const ISOLATED_SCRIPTS = ['page.js', 'watch.js', 'main-thread.js', 'lend.js', 'copies.js', 'audio.js', 'memory.js'];

/** What a page does is a rule of the package: Chromium shows it. Firefox is asked by the long run. */
const BROWSERS = casesOfRun({
  short: [['Chromium', launchChromium] as const],
  long: [['Firefox', launchFirefox] as const],
});

describe.each(BROWSERS)('in %s', (name, launch) => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    folder = makeFolder('browser-guide', 'path');
    browser = await launch();
  });
  afterAll(() => browser?.close());

  const promised = promisesOf('page.js');

  /** Opens a page and compares what it prints. */
  async function shows(origin: string, path: string, lines: readonly string[]): Promise<void> {
    const page = await browser.open(`${origin}/${path}`);
    expect(await outcome(page, lines.length)).toEqual({ printed: lines, errors: [] });
    await page.close();
  }

  /** Serves the folder with headers of the guide. */
  async function showsWith(headers: Headers, script: string, lines = promisesOf(script)): Promise<void> {
    const server = await serve({ folders: { '/': folder }, headers });
    try {
      await shows(server.origin, pageFor(script), lines);
    } finally {
      await server.close();
    }
  }

  test("the guide's server", async () => {
    const server = await startServer(folder);
    try {
      await shows(server.origin, '', promised);
      for (const script of ISOLATED_SCRIPTS) await shows(server.origin, pageFor(script), promisesOf(script));
    } finally {
      await server.close();
    }
  });

  test.each(['nginx', 'static-host', 'credentialless'])('the headers of %s', async (headers) => {
    await showsWith(headersOf(headers), 'page.js');
  });

  test('Document-Isolation-Policy alone', async () => {
    await showsWith(headersOf('document-isolation'), name === 'Chromium' ? 'page.js' : 'local.js');
  });

  test('no headers', async () => {
    await showsWith({}, 'local.js');
  });

  test('a service worker that adds the headers', async () => {
    await showsWith({}, 'start.js', promised);
  });

  test('views are refused and taken by the calls that the guide names', async () => {
    const refused = ['TextDecoder', 'TextEncoder.encodeInto', 'crypto.getRandomValues', 'crypto.subtle', 'Blob'];
    refused.push('WebSocket.send', 'ImageData');
    const taken = ['VideoFrame', 'EncodedVideoChunk.copyTo'];
    const found = await play(browser, ISOLATION, 'views', {}, /ws:/);
    expect(found).toEqual({ refused, taken, files: { written: 4096, read: 4096, isWhole: true }, end: HOME });
    const section = guide.slice(guide.indexOf('## Views that'), guide.indexOf('## Audio worklets'));
    for (const call of refused) expect(section).toContain(`\`${call}\``);
    expect(inOneLine(section)).toContain('WebCodecs and the access handles of OPFS take the view itself.');
  });

  test('a policy that allows Wasm, and one that does not', async () => {
    await showsWith({ ...headersOf('nginx'), ...headersOf('csp') }, 'page.js');
    const strict = promised.map((line) => line.replace('shared wasm', 'shared typescript'));
    expect(strict).not.toEqual(promised);
    expect(inOneLine(guide)).toContain('`page.js` prints `shared typescript` then:');
    await showsWith({ ...headersOf('nginx'), ...headersOf('csp-strict') }, 'page.js', strict);
  });

  describe('with a bundler', () => {
    let bundled: string;
    beforeAll(() => {
      bundled = makeFolder('browser-guide-bundled', 'name');
    });

    test('vite', async () => {
      const server = await createServer({ root: bundled, logLevel: 'error', server: { port: 0, host: '127.0.0.1' } });
      try {
        await server.listen();
        const { origin } = new URL(server.resolvedUrls?.local[0] ?? '');
        await shows(origin, '', promised);
        await shows(origin, pageFor('audio.js'), promisesOf('audio.js'));
      } finally {
        await server.close();
      }
    });

    test('vite build', async () => {
      await build({ root: bundled, logLevel: 'error' });
      const server = await preview({ root: bundled, logLevel: 'error', preview: { port: 0, host: '127.0.0.1' } });
      try {
        await shows(new URL(server.resolvedUrls?.local[0] ?? '').origin, '', promised);
      } finally {
        await server.close();
      }
    });

    test('esbuild', async () => {
      const entryPoints = ['page.js', 'worker.js'].map((file) => join(bundled, file));
      const outdir = join(bundled, 'dist-esbuild');
      await bundle({ entryPoints, outdir, bundle: true, format: 'esm', logLevel: 'error' });
      writeFileSync(join(outdir, 'index.html'), pageText('page.js'));
      const server = await serve({ folders: { '/': outdir }, headers: headersOf('nginx') });
      try {
        await shows(server.origin, 'index.html', promised);
      } finally {
        await server.close();
      }
    });
  });
});
