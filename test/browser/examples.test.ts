// The examples for browsers, served by their own server and looked at in Chromium and Firefox: pictures and plots that
// move, workers that are killed, errors in words, and an audit at the end.
//
// PICTURES=1 keeps pictures of them in docs/pictures; with LONG=1 that of the filter on a device, too.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Page as Puppeteer } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Browser,
  DEVICES,
  launchChromium,
  launchFirefox,
  launchFirefoxWithDevices,
  type Page,
  SWIFTSHADER,
} from '../support/browsers.js';
import {
  differing,
  expectNoError,
  figureOf,
  galleryFolders,
  look,
  pixelsOf,
  press,
  slide,
  squaresOf,
  startGallery,
  stopExample,
  textOf,
  untilMoving,
} from '../support/gallery.js';
import { casesOfRun, isLong } from '../support/lane.js';
import { ISOLATION, serve } from '../support/serve.js';
import { until } from '../support/waiting.js';

/** Two columns, and pictures that are not too large. */
const WIDE = 1020;

let gallery: Awaited<ReturnType<typeof startGallery>>;
beforeAll(async () => {
  gallery = await startGallery();
});
afterAll(() => gallery?.stop());

const isRunning = (page: Page): Promise<boolean> =>
  page.evaluate(`document.documentElement.dataset.state === 'running'`);
const log = (page: Page): Promise<string> => textOf(page, '#log');

/** Cases of one of both runs: a case that is skipped counts as failed. */
const inShort = isLong ? () => {} : describe;
const inLong = isLong ? test : () => {};
const describeInLong = isLong ? describe : () => {};

inShort('the server', () => {
  const get = (path: string): Promise<Response> => fetch(gallery.origin + path, { redirect: 'manual' });

  test('prints its address, and every link of the index leads somewhere', async () => {
    expect(gallery.line).toBe(`pagepool in the browser: ${gallery.origin}/ (Ctrl+C ends it)`);
    const index = await (await get('/')).text();
    const links = [...index.matchAll(/(?:href|src)="(\/[^"]*)"/g)].map(([, path]) => path as string);
    expect(links).toEqual(expect.arrayContaining(['/web-frames/', '/audio-worklet/', '/image-filter/']));
    for (const path of links) expect([path, (await get(path)).status]).toEqual([path, 200]);
  });

  test('a port that is in use', async () => {
    const { port } = new URL(gallery.origin);
    const program = fileURLToPath(new URL('../../examples/web-server.mjs', import.meta.url));
    const second = spawnSync(process.execPath, [program], { env: { ...process.env, PORT: port }, encoding: 'utf8' });
    expect([second.status, second.stderr]).toEqual([1, `port ${port} is in use: PORT=8081 npm run example:web\n`]);
  });

  test('a path without its slash, and one that leads nowhere', async () => {
    const moved = await get('/web-frames?x=1');
    expect([moved.status, moved.headers.get('Location')]).toEqual([308, '/web-frames/?x=1']);
    for (const path of ['/nothing', '/nothing/', '/..%2f..%2fpackage.json', '//[', '/pagepool/']) {
      const missing = await get(path);
      expect([path, missing.status]).toEqual([path, 404]);
      expect(await missing.text()).toContain('There is nothing at this address');
    }
    expect((await get('/providers/run.ts')).headers.get('Content-Type')).toMatch('text/plain');
  });
});

/** What a page does is a rule of the package: Chromium shows it. Firefox is asked by the long run. */
const BROWSERS = casesOfRun({
  short: [['Chromium', launchChromium] as const],
  long: [['Firefox', launchFirefoxWithDevices] as const],
});

describe.each(BROWSERS)('%s', (name, launch) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  const open = (path: string): Promise<Page> => browser.open(gallery.origin + path);
  const fits = (page: Page, width: number, scheme: 'light' | 'dark', picture?: string): Promise<void> =>
    name === 'Chromium' ? look(page, width, scheme, picture) : Promise.resolve();

  test('the index leads to the examples, and fits a narrow screen', async () => {
    const page = await open('/');
    await fits(page, 360, 'dark');
    await press(page, '.cards h2 a');
    await until(() => isRunning(page).catch(() => false)); // it is another document
    expect(await page.evaluate('location.pathname')).toBe('/web-frames/');
    await page.leaveTo(`${gallery.origin}/nothing`);
    await fits(page, 360, 'light');
    await page.close();
  });

  describe('video', () => {
    test('frames move, a worker is killed, and each frame and page is accounted for', async () => {
      const page = await open('/web-frames');
      const first = await ballIn(page);
      await until(async () => Math.abs((await ballIn(page)) - first) > 4);
      await until(async () => (await textOf(page, '[data-figure="p99"]')).endsWith(' ms'));
      await untilMoving(page, '#plot');
      await expectNoError(page);
      const [frames, seen, dropped, without] = numbers(await stopExample(page));
      // How many are dropped is a matter of the machine: the camera may be slower than the workers.
      expect((seen ?? 0) + (dropped ?? 0) + (without ?? 0)).toBe(frames);
      expect(await textOf(page, '#end')).toContain('balanced: true, pages in use: 0, pool closed: true.');
      const [found, boxes] = numbers(await textOf(page, '[data-figure="found"]'));
      expect([boxes, (boxes ?? 0) > 0]).toEqual([found, true]);

      await press(page, '#stop'); // again
      await until(() => isRunning(page));
      await (page.puppet as Puppeteer).focus('#work');
      await (page.puppet as Puppeteer).keyboard.press('End');
      await until(async () => (await textOf(page, '#work + output')) === '200 ms');
      await until(async () => (await figureOf(page, 'dropped')) > 5 && (await squaresOf(page, 'owner-1')) > 0);
      await fits(page, WIDE, 'light', 'video');
      await fits(page, 360, 'dark', 'narrow');
      await press(page, '[data-worker="detector 1"]');
      await until(
        async () => (await log(page)).includes('what it held is home'),
        () => log(page),
      );
      expect([await squaresOf(page, 'owner-1'), await textOf(page, '.legend')]).toEqual([
        0,
        expect.stringMatching(/detector 1\s+gone/),
      ]);
      await press(page, '[data-worker="detector 1"]'); // a new one in its place
      await until(async () => (await squaresOf(page, 'owner-1')) > 0);
      await untilMoving(page, '#screen');
      expect(await stopExample(page)).toContain('balanced: true, pages in use: 0, pool closed: true.');
      await expectNoError(page);
      await page.close();
    });

    inLong('without a video encoder the frames are those of a canvas', async () => {
      const page = await open('/web-gallery/missing.html');
      await (page.puppet as Puppeteer).evaluateOnNewDocument('delete globalThis.VideoEncoder');
      await page.leaveTo(`${gallery.origin}/web-frames/`);
      await untilMoving(page, '#screen');
      expect(await log(page)).toContain('frames of a canvas');
      expect(await stopExample(page)).toContain('balanced: true');
      await expectNoError(page);
      await page.close();
    });
  });

  describe('audio', () => {
    test('the scope moves, a slow and a killed worker lose blocks, and each block and page is accounted for', async () => {
      const page = await open('/audio-worklet');
      await press(page, '#stop'); // begins
      await untilMoving(page, '#scope');
      for (const hertz of [440, 880]) {
        await slide(page, '#frequency', hertz);
        await until(async () => Math.abs((await figureOf(page, 'heard')) - hertz) < 3);
      }
      expect(await figureOf(page, 'peak')).toBeCloseTo(1, 1);
      await slide(page, '#work', 6); // longer than a block lasts
      await until(async () => (await figureOf(page, 'xruns')) > 0);
      await untilMoving(page, '#plot');
      await fits(page, WIDE, 'dark', 'audio');
      await slide(page, '#work', 0);
      await until(async () => (await figureOf(page, 'ring')) < 100);
      const [blocks, analysed, xruns, without, left] = numbers(await stopExample(page));
      expect((analysed ?? 0) + (xruns ?? 0) + (without ?? 0) + (left ?? 0)).toBe(blocks);
      expect([(xruns ?? 0) > 0, (analysed ?? 0) > 0]).toEqual([true, true]);
      expect(await textOf(page, '#end')).toContain('balanced: true, pages in use: 0, pool closed: true.');

      await press(page, '#stop'); // again
      await until(async () => (await figureOf(page, 'heard')) > 0);
      await press(page, '#kill');
      await until(
        async () => (await log(page)).includes('what it held is home'),
        () => log(page),
      );
      await until(async () => (await figureOf(page, 'xruns')) > 0);
      expect(await squaresOf(page, 'owner-2')).toBe(0);
      await fits(page, 360, 'light');
      await press(page, '#kill'); // a new one in its place
      await until(async () => (await figureOf(page, 'heard')) > 0);
      await untilMoving(page, '#scope');
      expect(await stopExample(page)).toContain('balanced: true, pages in use: 0, pool closed: true.');
      await expectNoError(page);
      await page.close();
    });
  });

  inLong('image filter: pictures move in a worker, and one that is killed fails its call alone', async () => {
    const page = await open('/image-filter');
    await untilMoving(page, '#screen');
    expect(await textOf(page, '#note')).toMatch(/^This browser has .*the same filter runs in a worker/);
    await expectFiltered(page);
    await untilMoving(page, '#plot');
    await fits(page, 360, 'dark');
    for (const label of ['filter', 'painter']) {
      await press(page, `[data-worker="${label}"]`);
      await until(
        async () => (await log(page)).includes(`The ${label} is gone, and what it held is home`),
        () => log(page),
      );
      await press(page, `[data-worker="${label}"]`); // a new one in its place
      await untilMoving(page, '#screen');
    }
    const [pictures] = numbers(await stopExample(page));
    expect(pictures).toBeGreaterThan(0);
    expect(await textOf(page, '#end')).toContain('balanced: true, pages in use: 0, pool closed: true.');
    await expectNoError(page);

    await press(page, '#stop'); // again, to stop while nobody answers
    await untilMoving(page, '#screen');
    await press(page, '[data-worker="filter"]');
    await until(async () => (await squaresOf(page, 'lane-0')) === 2); // the painter waits for room
    expect(await stopExample(page)).toContain('balanced: true, pages in use: 0, pool closed: true.');
    await expectNoError(page);
    await page.close();
  });

  test('what fails is said in the page', async () => {
    const files = { '/web-frames/worker.js': `throw new Error('the lens is broken')` };
    const server = await serve({
      folders: galleryFolders,
      files,
      headers: (path) => (path.startsWith('/audio-worklet/') ? {} : ISOLATION),
    });
    const broken = await browser.open(`${server.origin}/web-frames/index.html`);
    const errors = (page: Page): Promise<string> => textOf(page, '#errors');
    await until(
      async () => /detector 1: .*the lens is broken/.test(await errors(broken)),
      () => errors(broken),
    );
    await until(async () => (await textOf(broken, '[data-worker="detector 1"]')) === 'Start detector 1');
    await untilMoving(broken, '#screen'); // the camera goes on
    expect(await stopExample(broken)).toContain('balanced: true');
    if (name === 'Chromium') {
      await (broken.puppet as Puppeteer).select('#source', 'user'); // there is none
      await until(async () => (await errors(broken)).includes('The camera cannot be used: '));
      await (broken.puppet as Puppeteer).select('#source', 'drawn');
      await until(async () => (await isRunning(broken)) && !(await errors(broken)).includes('camera'));
    }
    await broken.close();
    const local = await browser.open(`${server.origin}/audio-worklet/index.html`);
    await until(async () => (await errors(local)).includes('not cross-origin isolated'));
    expect(await errors(local)).toContain('Cross-Origin-Embedder-Policy: require-corp');
    await local.close();
    await server.close();
  });
});

/** Cameras and microphones of the user: in the long run alone. */
const WITH_DEVICES = casesOfRun({
  short: [],
  long: [['Chromium', () => launchChromium(DEVICES)] as const, ['Firefox', launchFirefoxWithDevices] as const],
});

describe.each(WITH_DEVICES)('%s with what the user has', (_, launch) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test("the user's camera and microphone", async () => {
    const video = await browser.open(`${gallery.origin}/web-frames/`);
    await ballIn(video);
    await (video.puppet as Puppeteer).select('#source', 'user');
    await until(async () => (await log(video)).startsWith('The camera runs: your camera'));
    await untilMoving(video, '#screen');
    await until(async () => (await figureOf(video, 'seen')) > 0 && (await squaresOf(video, 'owner-2')) > 0);
    expect(await stopExample(video)).toContain('balanced: true, pages in use: 0, pool closed: true.');
    await expectNoError(video);
    await video.close();
    const audio = await browser.open(`${gallery.origin}/audio-worklet/`);
    await press(audio, '#stop');
    await slide(audio, '#frequency', 700);
    await until(async () => Math.abs((await figureOf(audio, 'heard')) - 700) < 3);
    await (audio.puppet as Puppeteer).select('#source', 'microphone');
    await until(async () => Math.abs((await figureOf(audio, 'heard')) - 700) > 100);
    await untilMoving(audio, '#scope');
    expect(await stopExample(audio)).toContain('balanced: true, pages in use: 0, pool closed: true.');
    await expectNoError(audio);
    await audio.close();
  });

  test('a picture of the user is filtered, and a file that is none is refused in words', async () => {
    const page = await browser.open(`${gallery.origin}/image-filter/`);
    await untilMoving(page, '#screen');
    await slide(page, '#divide', 480);
    const input = await (page.puppet as Puppeteer).$('input#file');
    await input?.uploadFile(fileURLToPath(new URL('../../docs/pictures/inspector-busy.png', import.meta.url)));
    const brightness = async (): Promise<number> => {
      const pixels = await pixelsOf(page, '#screen');
      return pixels.reduce((sum, each) => sum + each, 0) / pixels.length;
    };
    await until(async () => (await brightness()) > 200); // it is nearly white
    await input?.uploadFile(fileURLToPath(new URL('../../package.json', import.meta.url)));
    await until(async () => (await textOf(page, '#errors')).startsWith('package.json is no picture'));
    expect(await stopExample(page)).toContain('balanced: true');
    await page.close();
  });
});

inLong('Firefox without a sound device: the page says so, and can be asked again', async () => {
  const browser = await launchFirefox();
  const page = await browser.open(`${gallery.origin}/audio-worklet/`);
  await press(page, '#stop');
  await until(async () => (await textOf(page, '#errors')).includes('The browser starts no sound.'));
  await press(page, '#stop');
  await browser.close();
});

describeInLong('Chromium with WebGPU', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium(SWIFTSHADER);
  });
  afterAll(() => browser?.close());

  test('the device filters as the processor does, and both pools come to rest', async () => {
    const page = await browser.open(`${gallery.origin}/image-filter/`);
    await untilMoving(page, '#screen');
    expect([await textOf(page, '#note'), await textOf(page, '#where')]).toEqual([
      '',
      expect.stringMatching('WebGPU: '),
    ]);
    await expectFiltered(page);
    for (const strength of [0, 104, 256]) {
      await slide(page, '#strength', strength);
      await until(async () => (await figureOf(page, 'unlike')) >= 0);
      const before = await figureOf(page, 'compared');
      await until(async () => (await figureOf(page, 'compared')) > before + 1);
      expect([strength, await figureOf(page, 'unlike')]).toEqual([strength, 0]);
    }
    await slide(page, '#strength', 208);
    await until(() => page.evaluate(`document.querySelector('#device-map').dataset.used !== undefined`));
    await look(page, WIDE, 'light', 'image');
    // To the worker, and back.
    for (const where of ['worker', 'device']) {
      await (page.puppet as Puppeteer).select('#where', where);
      await until(async () => Number.isNaN(await figureOf(page, 'unlike')) === (where === 'worker'));
      await untilMoving(page, '#screen');
    }
    expect(await stopExample(page)).toContain('balanced: true, pages in use: 0, pool closed: true.');
    await expectNoError(page);
    await page.close();
  });
});

/** Left of the divide is the picture, and right of it something else: the same pixels differ by what is shown there. */
async function expectFiltered(page: Page): Promise<void> {
  const at = async (divide: number): Promise<number[]> => {
    await slide(page, '#divide', divide);
    const before = await figureOf(page, 'pictures');
    await until(async () => (await figureOf(page, 'pictures')) > before + 1); // one that was begun behind the slide
    return pixelsOf(page, '#screen');
  };
  const [whole, none] = [await at(480), await at(0)];
  expect(differing(whole, none)).toBeGreaterThan(300); // of 1,296: shapes move, but the ground glows nowhere
  await slide(page, '#divide', 200);
}

/** Where the ball is on the screen, from the left, in large pixels; waits until there is one, before a blue sky. */
async function ballIn(page: Page): Promise<number> {
  let columns: number[] = [];
  await until(async () => {
    const pixels = await pixelsOf(page, '#screen');
    const isSky = (pixels[2] as number) > (pixels[0] as number) + 20;
    const isBall = (at: number): boolean =>
      (pixels[at] as number) > 200 && (pixels[at + 1] as number) > 140 && (pixels[at + 2] as number) < 180;
    columns = Array.from({ length: pixels.length / 3 }, (_, i) => i)
      .filter((i) => isSky && isBall(3 * i))
      .map((i) => i % 48);
    return columns.length > 3;
  });
  return columns.reduce((sum, x) => sum + x, 0) / columns.length;
}

const numbers = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number);
