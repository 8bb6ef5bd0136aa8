// The inspector's page in real browsers: four states of a real pool, each looked at, with figures that are those of
// stats(); a recording of a kill, saved, loaded and gone through; keys, both schemes, and a narrow screen.
//
// PICTURES=1 keeps the pictures in docs/pictures.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { PagePool } from 'pagepool';
import { type Inspector, serveInspector } from 'pagepool/inspector';
import type { Page as Puppeteer } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox, type Page } from '../support/browsers.js';
import { casesOfRun } from '../support/lane.js';
import { builtPackage, ISOLATION, type Server, serve } from '../support/serve.js';
import { until } from '../support/waiting.js';

const built = (file: string): string => fileURLToPath(new URL(`../../build/${file}`, import.meta.url));
const command = built('command.js');
const kept = fileURLToPath(new URL('../../docs/pictures', import.meta.url));
const downloads = mkdtempSync(join(tmpdir(), 'pagepool-inspector-'));

type Pool = PagePool<{ channels: 'lines' | 'rows' }>;

/** A pool with threads of the demo. */
class Scene {
  readonly pool: Pool;
  readonly workers: Worker[] = [];
  inspector!: Inspector;

  constructor(name: string, capacity = 96) {
    const channels = { lines: { capacity }, rows: { capacity } };
    this.pool = PagePool.createSync({ name, pageCount: 512, channels, leaks: 'all', stallMs: 0 }) as Pool;
  }

  start(label: string, role: string): Worker {
    const workerData = { share: this.pool.share(), label };
    const worker = new Worker(command, { workerData, env: { ...process.env, PAGEPOOL_DEMO_ROLE: role } });
    this.pool.watch(worker);
    this.workers.push(worker);
    return worker;
  }

  async end(): Promise<void> {
    await this.inspector.close();
    await Promise.all(this.workers.map((worker) => worker.terminate()));
    expect((await this.pool.close()).isDestroyed).toBe(true);
  }
}

/** The figures of the page, exact. */
const figure = (page: Page, name: string): Promise<number> =>
  page.evaluate(`Number(document.querySelector('[data-figure="${name}"]').dataset.value)`);
const pagesIn = (page: Page, place: string): Promise<number> =>
  page.evaluate(`Number(document.querySelector('[data-place="${place}"]').dataset.value)`);
const texts = (page: Page, selector: string): Promise<string[]> =>
  page.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((element) => element.innerText)`);
const click = (page: Page, text: string): Promise<void> =>
  page.evaluate(
    `[...document.querySelectorAll('button')].find((each) => each.innerText.startsWith('${text}')).click()`,
  );

/** Waits until the page has had another look, and shows these figures of a quiet pool. */
async function untilSame(page: Page, pool: Pool): Promise<void> {
  const { inflight, pages } = pool.stats();
  const wanted = [inflight, pages.used, pages.cached, pages.ring].join();
  const seen = async (): Promise<string> => {
    const found = [await figure(page, 'In flight')];
    let used = 0;
    for (const place of ['used', 'open', 'channel', 'token', 'reply', 'nobody']) used += await pagesIn(page, place);
    found.push(used);
    for (const place of ['cached', 'ring']) found.push(await pagesIn(page, place));
    return found.join();
  };
  await until(async () => (await seen()) === wanted, seen);
}

/** The number of colours that the map has: a blank one has none. */
const mapColours = (page: Page): Promise<number> =>
  page.evaluate(`(() => {
    const canvas = document.querySelector('.pp-canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Map();
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] !== 255) continue;
      const colour = data[i] << 16 | data[i + 1] << 8 | data[i + 2];
      colours.set(colour, (colours.get(colour) ?? 0) + 1);
    }
    return [...colours.values()].filter((count) => count > 20).length;
  })()`);

/** A picture of the whole page, which is not blank, and fits its width. */
async function look(page: Page, name: string, width = 1280, scheme = 'light'): Promise<void> {
  const puppet = page.puppet as Puppeteer;
  await puppet.setViewport({ width, height: 900 });
  await puppet.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]).catch(() => {});
  await until(() => page.evaluate(`innerWidth === ${width} && document.querySelectorAll('.uplot canvas').length >= 4`));
  expect(await page.evaluate('document.documentElement.scrollWidth'), `${name} at ${width}`).toBeLessThanOrEqual(width);
  expect(await mapColours(page), name).toBeGreaterThan(1);
  const folder = process.env.PICTURES === '1' ? kept : downloads;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `inspector-${name}.png`) as `${string}.png`;
  const picture = await puppet.screenshot({ path, fullPage: true });
  expect(picture.length, name).toBeGreaterThan(30_000);
}

/** What a page shows is a rule of the package: Chromium shows it. Firefox is asked by the long run. */
const BROWSERS = casesOfRun({
  short: [['Chromium', launchChromium] as const],
  long: [['Firefox', launchFirefox] as const],
});

/** The browsers of this file, each started once: most of what a small test costs is the start of one. */
const started = new Map<typeof launchChromium, Promise<Browser>>();

function start(launch: typeof launchChromium): Promise<Browser> {
  const browser = started.get(launch) ?? launch();
  started.set(launch, browser);
  return browser;
}

afterAll(async () => {
  for (const browser of started.values()) await browser.then((one) => one.close()).catch(() => {});
  rmSync(downloads, { recursive: true, force: true });
});

describe.each(BROWSERS)('%s', (name, launch) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await start(launch);
  });

  const picture = (page: Page, state: string, width?: number, scheme?: string): Promise<void> =>
    name === 'Chromium' ? look(page, state, width, scheme) : Promise.resolve();

  async function open(scene: Scene): Promise<Page> {
    scene.inspector = await serveInspector(scene.pool);
    const page = await browser.open(scene.inspector.url);
    await until(() => page.evaluate(`document.querySelector('.pp-state').innerText === 'active'`));
    expect(await page.evaluate('location.search')).toBe('');
    return page;
  }

  test('idle: the figures are those of stats(), keys tell what a page is', async () => {
    const scene = new Scene('idle');
    const held = Array.from({ length: 7 }, () => scene.pool.take(1000));
    const page = await open(scene);
    await untilSame(page, scene.pool);
    expect(await figure(page, 'Waiting')).toBe(0);
    expect(await texts(page, '.pp-lints-list li')).toEqual([]);
    await picture(page, 'idle');
    await page.evaluate(`document.querySelector('.pp-canvas').focus()`);
    const told: string[] = [];
    for (const key of ['Home', 'End', 'ArrowLeft']) {
      const event = `new KeyboardEvent('keydown', { key: '${key}', bubbles: true })`;
      await page.evaluate(`document.querySelector('.pp-canvas').dispatchEvent(${event})`);
      told.push(...(await texts(page, '.pp-tells')));
    }
    expect(told.map((text) => text.split(':')[0])).toEqual(['Page 1', 'Page 512', 'Page 511']);
    expect(told[2]).toBe('Page 511: fresh, never used');
    await picture(page, 'narrow', 360, 'dark');
    expect(page.errors).toEqual([]);
    for (const fragment of held) fragment?.release();
    await untilSame(page, scene.pool);
    await page.close();
    await scene.end();
  });

  test('busy: threads, channels and rates', async () => {
    const scene = new Scene('busy');
    scene.start('reader', 'reader');
    for (const label of ['parser-1', 'parser-2']) scene.start(label, 'parser');
    scene.start('store', 'store');
    const page = await open(scene);
    await until(
      async () => (await figure(page, 'Hand-offs')) > 0 && (await pagesIn(page, 'used')) > 100,
      () => figure(page, 'In flight'),
    );
    const labels = await texts(page, '.pp-threads tbody th');
    expect(labels.sort()).toEqual(['creator', 'parser-1', 'parser-2', 'reader', 'store']);
    // Some looks more, so that the plots have something to show.
    const before = scene.pool.stats();
    await until(
      () => scene.pool.channel('rows').pending + scene.pool.stats().alloc.fragments > before.alloc.fragments + 4000,
    );
    expect(await figure(page, 'Allocations')).toBeGreaterThan(0);
    await picture(page, 'busy');
    await picture(page, 'busy-dark', 1280, 'dark');
    expect(page.errors).toEqual([]);
    await page.close();
    await scene.end();
  });

  test('a standstill: who waits, and the lints with their remedies', async () => {
    const scene = new Scene('standstill', 512);
    const held = Array.from({ length: 512 }, () => scene.pool.take(4096));
    const rows = scene.pool.channel('rows');
    for (const fragment of held.splice(0, 400)) rows.sendFragment(fragment as never);
    const waiting = scene.pool.takeAsync(100);
    const page = await open(scene);
    await untilSame(page, scene.pool);
    const names = (): Promise<string[]> => texts(page, '.pp-lints-list code');
    await until(
      async () => (await names()).includes('stalled-wait'),
      () => figure(page, 'Findings'),
    );
    expect(await names()).toEqual(expect.arrayContaining(['queue-can-hold-all', 'stalled-wait']));
    expect(await figure(page, 'Waiting')).toBe(1);
    expect((await texts(page, '.pp-lints-list li')).join()).toContain('port 0 "creator" has waited for a page for');
    expect(await texts(page, '.pp-remedy')).toContainEqual(expect.stringContaining('create the pool with more pages'));
    expect((await texts(page, '.pp-holders-list')).join()).toContain('channel "rows" has 400 pages');
    await picture(page, 'stall');
    expect(page.errors).toEqual([]);
    for (const fragment of held) fragment?.release();
    (await waiting).release();
    await page.close();
    await scene.end();
  });

  test('a recording of a kill shows the port reaped and its pages home', async () => {
    const scene = new Scene('killed');
    scene.start('reader', 'reader');
    const parser = scene.start('parser', 'parser');
    const page = await open(scene);
    const heldBy = async (label: string): Promise<number> => {
      const rows = await texts(page, '.pp-threads tbody tr');
      return Number(rows.find((row) => row.startsWith(label))?.split('\t')[3] ?? -1);
    };
    await until(
      async () => (await heldBy('parser')) > 20,
      () => figure(page, 'In flight'),
    );
    await click(page, 'Record');
    await until(async () => (await texts(page, '.pp-record'))[0] !== 'Stop · 0');
    await parser.terminate();
    await until(async () => (await heldBy('parser')) === -1);
    const said = async (): Promise<string> => (await texts(page, '.pp-events-list li')).join('\n');
    await until(async () => (await said()).includes('is free'), said);
    // What it held at the last look before its end, which may have been nothing.
    expect(await said()).toMatch(/"parser" is free(?:; it had held \d+ pages)?/);
    // Who holds what is listed less often than threads are: the recording ends behind a list without it.
    await until(async () => !(await texts(page, '.pp-holders-list')).join().includes('parser'));
    await picture(page, 'killed');
    if (name === 'Chromium') await replay(page, click);
    else await click(page, 'Stop');
    expect(page.errors).toEqual([]);
    await page.close();
    await scene.end();
  });

  test('a pool that closes, and an inspector that does: the page says so', async () => {
    const scene = new Scene('ending');
    const page = await open(scene);
    await scene.pool.close();
    const banner = async (): Promise<string> => (await texts(page, '.pp-banner')).join();
    await until(async () => (await banner()).includes('has been closed'), banner);
    expect(await texts(page, '.pp-state')).toEqual(['destroyed']);
    await scene.inspector.close();
    await until(async () => (await banner()).startsWith('The inspector was closed.'), banner);
    expect(await banner()).toContain('What you see is the last look');
    await page.close();
    await scene.end();
  });
});

test('a server that was bundled, minified, with names kept, serves a page that works', async () => {
  const bundled = join(downloads, 'server.mjs');
  const contents = `
    import { PagePool } from ${JSON.stringify(built('index.js'))};
    import { serveInspector } from ${JSON.stringify(built('inspector.js'))};
    const pool = await PagePool.create({ name: 'bundled', pageCount: 16 });
    console.log((await serveInspector(pool, { ref: true })).url);`;
  const stdin = { contents, resolveDir: downloads };
  const options = { bundle: true, minify: true, keepNames: true, platform: 'node', format: 'esm' } as const;
  await build({ ...options, stdin, outfile: bundled, logLevel: 'silent' });
  const server = spawn(process.execPath, [bundled], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [address] = (await once(server.stdout, 'data')) as [Buffer];
  const browser = await start(launchChromium);
  const page = await browser.open(String(address).trim());
  await until(() => page.evaluate(`document.querySelector('.pp-state').innerText === 'active'`));
  expect([await texts(page, 'h1'), page.errors]).toEqual([['bundled'], []]);
  await page.close();
  server.kill();
});

// The same page in an element of somebody's page, from the built files as they are: a browser loads nothing of Node.
describe.each(BROWSERS)('mountInspector in %s', (_, launch) => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    const importMap = JSON.stringify({
      imports: {
        pagepool: '/pagepool/index.js',
        'pagepool/inspector-page': '/pagepool/inspector-page.js',
        'pagepool/leaks': '/pagepool/leaks.js',
      },
    });
    const document = `<!doctype html><meta charset="utf-8"><title>somebody's</title>
      <style>.pp { display: none } body { font: 30px serif; margin: 8px }</style>
      <script type="importmap">${importMap}</script><main id="place" style="width: 700px"></main>
      <script type="module" src="/mounts.js"></script>`;
    const script = `import { PagePool } from 'pagepool';
      import { mountInspector } from 'pagepool/inspector-page';
      import 'pagepool/leaks';
      const make = (options) => PagePool.createSync({ name: 'mounted', pageCount: 64, leaks: 'all', ...options });
      Object.assign(globalThis, { make, mountInspector });
      console.log('loaded');`;
    server = await serve({
      folders: builtPackage,
      files: { '/isolated.html': document, '/local.html': document, '/mounts.js': script },
      headers: (path) => (path.startsWith('/local') ? {} : ISOLATION),
    });
    browser = await start(launch);
  });
  afterAll(() => server?.close());

  /** The element that the inspector is in, inside its shadow tree. */
  const inside = `document.querySelector('#place > div').shadowRoot`;
  const placed = (page: Page, place: string): Promise<number> =>
    page.evaluate(`Number(${inside}.querySelector('[data-place="${place}"]').dataset.value)`);

  test.each(['isolated', 'local'])('shows a pool of the page, %s, and is gone when it is unmounted', async (kind) => {
    const page = await browser.open(`${server.origin}/${kind}.html`);
    await until(() => page.printed.includes('loaded'));
    await page.evaluate(`void (globalThis.pool = make({ channels: { work: { capacity: 8 } } }))`);
    expect(await page.evaluate('pool.mode')).toBe(kind === 'local' ? 'local' : 'shared');
    await page.evaluate(`void (globalThis.held = [pool.take(), pool.take(), pool.take()])`);
    await page.evaluate(`void (globalThis.mounted = mountInspector(document.querySelector('#place'), pool))`);
    await until(async () => (await placed(page, 'used')) === 3);
    await page.evaluate(`pool.channel('work').sendFragment(held.pop())`);
    await until(async () => (await placed(page, 'channel')) === 1 && (await placed(page, 'used')) === 2);
    await until(() => page.evaluate(`${inside}.querySelectorAll('.pp-leaks details').length > 0`));
    // It takes the width that it has, and neither gives nor takes a style, a title or a key.
    const facts = `(() => {
      const root = ${inside}.querySelector('.pp');
      const key = new KeyboardEvent('keydown', { key: ' ', bubbles: true, cancelable: true });
      document.body.dispatchEvent(key);
      return {
        width: root.clientWidth, shown: getComputedStyle(root).display, title: document.title,
        margin: getComputedStyle(document.body).marginTop, isKeyTaken: key.defaultPrevented,
        font: getComputedStyle(document.body).fontSize,
      };
    })()`;
    expect(await page.evaluate(facts)).toEqual({
      width: 700,
      shown: 'block',
      title: "somebody's",
      margin: '8px',
      isKeyTaken: false,
      font: '30px',
    });
    // Nothing is left, and nobody looks any more.
    await page.evaluate(`(mounted.unmount(), mounted.unmount())`);
    expect(await page.evaluate(`document.querySelector('#place').childNodes.length`)).toBe(0);
    const codes = `[[null, pool], [document, pool], [document.body, {}]].map(([element, source]) => {
      try { mountInspector(element, source); } catch (error) { return error.code; }
    })`;
    expect(await page.evaluate(codes)).toEqual(new Array(3).fill('POOL_ERR_INVALID_ARGUMENT'));
    await page.evaluate(`held.forEach((fragment) => fragment.release())`);
    await page.evaluate(`pool.channel('work').receive().release()`);
    expect(await page.evaluate('pool.close().then(({ isDestroyed }) => isDestroyed)')).toBe(true);
    expect([page.errors, server.missing]).toEqual([[], []]);
    await page.close();
  });

  test('a pool that closes is shown as it ended', async () => {
    const page = await browser.open(`${server.origin}/isolated.html`);
    await until(() => page.printed.includes('loaded'));
    await page.evaluate(`void (globalThis.pool = make())`);
    await page.evaluate(`void (globalThis.mounted = mountInspector(document.querySelector('#place'), pool.share()))`);
    await page.evaluate('pool.close().then(() => true)');
    await until(() => page.evaluate(`${inside}.querySelector('.pp-banner').innerText.includes('has been closed')`));
    await page.evaluate(`mounted.unmount()`);
    expect(page.errors).toEqual([]);
    await page.close();
  });
});

/** Saves the recording, loads it again, and goes through it. */
async function replay(page: Page, press: (page: Page, text: string) => Promise<void>): Promise<void> {
  const puppet = page.puppet as Puppeteer;
  const session = await puppet.createCDPSession();
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads });
  await press(page, 'Stop');
  const files = (): string[] => readdirSync(downloads).filter((file) => file.endsWith('.json'));
  await until(() => files().length === 1);
  const input = await puppet.$('input[type=file]');
  await input?.uploadFile(join(downloads, files()[0] as string));
  await until(() => page.evaluate(`document.querySelector('.pp-state').innerText === 'recording'`));
  const seek = (to: string): Promise<void> =>
    page.evaluate(`(() => {
      const slider = document.querySelector('input[type=range]');
      slider.value = ${to};
      slider.dispatchEvent(new Event('input'));
    })()`);
  const labels = (): Promise<string[]> => texts(page, '.pp-threads tbody th');
  await seek('0');
  expect(await labels()).toContain('parser');
  expect((await texts(page, '.pp-events-list')).join()).not.toContain('is free');
  await seek('slider.max');
  expect(await labels()).not.toContain('parser');
  expect((await texts(page, '.pp-events-list')).join()).toContain('"parser" is free');
  expect((await texts(page, '.pp-holders-list')).join()).not.toContain('parser');
  await press(page, 'Back to live');
  await until(() => page.evaluate(`document.querySelector('.pp-state').innerText === 'active'`));
}
