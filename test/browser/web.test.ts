// What pages give to the web's APIs and take from them, in Chromium and Firefox: the border, pagepool/web and
// pagepool/worklet.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { borderColumn } from '../support/border-table.js';
import { type Browser, launchChromium, launchFirefox, untilPrinted } from '../support/browsers.js';
import { startEcho } from '../support/echo.js';
import { BODY, HOME, launchSharingWebKit, openStage, play, type Stage } from '../support/pages.js';
import { builtPackage, ISOLATION, serve } from '../support/serve.js';

interface Verdicts {
  readonly [verdict: string]: unknown;
}

/** The APIs and their verdicts, out of lists by verdict. */
function byApi(found: Verdicts): Record<string, string> {
  const lists = Object.entries(found).filter(([, apis]) => Array.isArray(apis)) as [string, string[]][];
  return Object.fromEntries(lists.flatMap(([verdict, apis]) => apis.map((api) => [api, verdict])));
}

const documents = ['border', 'web'].map((name) =>
  readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8'),
);

/** The blocks of the documents that are for pages: `page` scripts, and the files that those start. */
function blocksOf(kind: 'page' | 'file'): [name: string, script: string][] {
  const pattern = new RegExp(`^\`\`\`js ${kind}=(\\S+)\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return documents.flatMap((text) =>
    [...text.matchAll(pattern)].map(([, name, script]): [string, string] => [name as string, script as string]),
  );
}

/** The table of formats in docs/web.md: what becomes of each, in this browser. */
function formatColumn(browser: string): Record<string, string> {
  const table = documents[1]?.match(/<!-- formats -->\n([\s\S]*?)<!-- \/formats -->/)?.[1] ?? '';
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''));
  const [head = [], , ...rows] = table.trim().split('\n').map(cells);
  const column = head.indexOf(browser);
  return Object.fromEntries(rows.flatMap((row) => row[0]?.split(', ').map((source) => [source, row[column]]) ?? []));
}

/** As a bundler would resolve the package. */
function resolved(script: string): string {
  return script.replace(/from 'pagepool(?:\/(\w+))?'/g, (_, entry = 'index') => `from '/pagepool/${entry}.js'`);
}

describe.each([
  ['Chromium', launchChromium],
  ['Firefox', launchFirefox],
] as const)('%s', (name, launch) => {
  const isChromium = name === 'Chromium';
  let browser: Browser;
  let stage: Stage;
  let server: Awaited<ReturnType<typeof startEcho>>;
  beforeAll(async () => {
    server = await startEcho();
    browser = await launch();
    stage = await openStage(browser, ISOLATION);
  });
  afterAll(async () => {
    await stage?.close();
    await browser?.close();
    await server?.close();
  });

  describe('the border', () => {
    const right = { text: true, fatal: true, digest: true, copy: true, body: true, blob: true, clone: true };
    const rounds = Array(2).fill({ ...right, isRight: true });

    test('is where it was found, in the page and in a worker, and what is copied there arrives', async () => {
      const { page, worker, ...rest } = await stage.play<{ page: Verdicts; worker: { found: Verdicts } }>('border', {
        echoUrl: server.url,
      });
      expect(rest).toEqual({ mode: 'shared', rounds, isEchoed: true, end: HOME });
      const facts = { memory: 'wasm', reason: '', isIsolated: true, wasm: true, waitAsync: true, locks: true };
      expect(page).toMatchObject({ ...facts, runtime: 'browser', canBlock: false });
      expect(worker.found).toMatchObject({ ...facts, runtime: 'browser', canBlock: true });
      // What one of them lacks the other has.
      const [ofPage, ofWorker, documented] = [byApi(page), byApi(worker.found), borderColumn(name)];
      for (const [api, verdict] of Object.entries(documented)) {
        expect([ofPage[api], ofWorker[api]], api).toContain(verdict);
        for (const found of [ofPage[api], ofWorker[api]]) expect(['absent', verdict], api).toContain(found);
      }
      expect(Object.keys(ofPage).sort()).toEqual(Object.keys(documented).sort());
      expect(worker).toMatchObject({ rounds });
    });

    test('is gone where pools are local, but for streams that would take the memory away', async () => {
      const { page, ...rest } = await play<{ page: Verdicts }>(browser, {}, 'border', {});
      expect(rest).toEqual({ mode: 'local', rounds, end: HOME });
      expect(page).toMatchObject({
        memory: 'local',
        reason: 'this page is not cross-origin isolated',
        isIsolated: false,
        refused: ['ReadableStream.enqueue', 'ReadableStreamBYOBReader.read'],
      });
      expect(page).not.toHaveProperty('corrupted');
    });
  });

  // Whether the probes have answered or not: first everything is copied, then nothing that need not be.
  test.each([false, true])('frames, sound and chunks go through pages, with all known: %s', async (isKnown) => {
    const fine = { planes: true, isSame: true, isSummed: true, isDescribed: true, color: true };
    const invalid = 'POOL_ERR_INVALID_ARGUMENT';
    const { codes, ...rest } = await stage.play<{ codes: Record<string, unknown> }>('media', { isKnown });
    expect(rest).toEqual({
      frames: { RGBA: fine, I420: fine, NV12: fine },
      sounds: { 'f32-planar': true, s16: true, 'u8-planar': true },
      chunks: { video: true, audio: true },
      empty: [null, null],
      part: { size: [4, 2], shown: [4, 2], isSame: true, duration: null },
      converted: { format: 'RGBA', color: undefined, isGray: true },
      sound: { format: 's16', isSame: true },
      left: 'POOL_ERR_DESTROYED',
      end: HOME,
    });
    const { 'a part outside': outside, ...others } = codes;
    for (const [call, code] of Object.entries(others)) expect(code, call).toBe(invalid);
    // What the platform throws: a DOMException or a TypeError.
    expect(outside).not.toBe('none');
  });

  test('a frame of every format goes through a page as the guide has it, closed when the call is back', async () => {
    const { found, end } = await stage.play<{ found: Record<string, string>; end: unknown }>('formats', {});
    expect(found).toEqual(formatColumn(name));
    expect(end).toEqual(HOME);
  });

  test('a canvas of floats goes into a page', async () => {
    expect(await stage.play('floats', {})).toEqual({
      format: expect.stringMatching(/^(?:RGBA|RGBX|BGRA|BGRX)$/),
      size: [8, 6],
      shown: [255, 0, 0, 255],
      end: HOME,
    });
  });

  test('turned and mirrored frames, and such as are shown in another shape, stay so', async () => {
    expect(await stage.play('orientation', {})).toEqual({ hasTurns: isChromium, wrong: [], end: HOME });
  });

  test('pagesFor asks for the smallest page that has room for the frames of a decoder', async () => {
    const { sizes, named, ...rest } = await stage.play<{
      sizes: Record<string, { pageBytes: number; isLeast: boolean }>;
      named: Record<string, number>;
    }>('pageSizes', {});
    for (const [codec, { isLeast }] of Object.entries(sizes)) expect(isLeast, codec).toBe(true);
    expect(sizes.VP8?.pageBytes).toBe(isChromium ? 131072 : 262144);
    // 500 x 3 pixels: 128 bytes, 1,500 of luma, as many of alpha, and of chroma twice 250 x 2 in I420, 250 x 3 in I422.
    expect(named).toMatchObject({ I420: 4096, I420A: 8192, I422: 4096, NV12: 4096, I444: 8192, I420P10: 8192 });
    expect(named).toMatchObject({ RGBA: 8192, BGRX: 8192, I444A: 8192, I444AP12: 16384 });
    const invalid = 'POOL_ERR_INVALID_ARGUMENT';
    const codes = { 'no width': invalid, 'no format': invalid, 'no such codec': 'none', 'too large': invalid };
    expect(rest).toEqual({ unknown: 256, codes });
  });

  test('streams go into pages, slowed by an empty pool, and whatever ends them brings the pages back', async () => {
    const whole = (bytes: number) => ({ bytes, isRight: true });
    expect(await stage.play('streams', { bodyBytes: BODY.length })).toEqual({
      body: whole(BODY.length),
      isWhole: true,
      bytes: whole(13_100),
      chunks: whole(13_100),
      recycled: { ...whole(5), asked: [4096] },
      isPaused: true,
      aborted: 'enough',
      idle: 'too long',
      failed: 'the source failed',
      late: 'POOL_ERR_TIMEOUT',
      text: 'POOL_ERR_INVALID_ARGUMENT',
      locked: 'POOL_ERR_INVALID_ARGUMENT',
      out: true,
      packet: true,
      isCancelled: true,
      end: HOME,
    });
  });

  test('files of the origin are written from pages and read into pages', async () => {
    const round = {
      written: 10_000,
      cut: { length: 1000, isRight: true },
      atEnd: 0,
      lengths: [4096, 4096, 1708],
      isWhole: true,
      at: 10_000,
    };
    const codes = ['POOL_ERR_TIMEOUT', 'POOL_ERR_INVALID_ARGUMENT'];
    expect(await stage.play('files', {})).toEqual({
      found: { first: round, second: round, empty: null, codes, failed: true, left: [] },
      end: HOME,
    });
  });

  test('a WebSocket takes pages as messages and gives messages into pages', async () => {
    expect(await stage.play('sockets', { echoUrl: server.url }, /WebSocket/)).toEqual({
      sent: [true, true],
      came: [
        { bytes: 1000, parts: 1, isRight: true },
        { bytes: 9092, parts: 3, isRight: true },
        { bytes: 2, parts: 1, isRight: false },
      ],
      isRefused: true,
      isClosed: true,
      notOpen: false,
      full: 'POOL_ERR_MEMORY_LIMIT',
      unread: true,
      broken: { came: [1, 2, 3], error: 'messagesInto failed: the connection broke, code=1006' },
      starved: 'POOL_ERR_TIMEOUT',
      wrong: 'POOL_ERR_INVALID_ARGUMENT',
      end: HOME,
    });
  });

  test('canvases and bitmaps go into pages and out of pages, and frames to WebGL', async () => {
    const shown = { size: [8, 8, 9], drawn: ['1001', '0011'], bitmap: ['1001', '0011'] };
    expect(await stage.play('pictures', {})).toEqual({
      canvas: shown,
      bitmap: shown,
      ...(isChromium ? { gl: { rgba: true, gray: true, buffer: true } } : {}),
      wrong: 'POOL_ERR_INVALID_ARGUMENT',
      noImage: expect.not.stringMatching(/^none$/),
      end: HOME,
    });
  });

  test('textures are loaded however the context unpacks, and it goes on as before', async () => {
    const { found, codes, end } = await stage.play<{ found: object; codes: string[]; end: unknown }>('unpacking', {});
    // Firefox has no WebGL without a driver of the system.
    const none = isChromium ? [] : null;
    expect(found).toEqual({ webgl: none, webgl2: none });
    expect(codes).toEqual(Array(5).fill('POOL_ERR_INVALID_ARGUMENT'));
    expect(end).toEqual(HOME);
  });

  test.each(['wasm', 'typescript'])('an audio worklet tries, and never waits: engine %s', async (engine) => {
    const invalid = 'POOL_ERR_INVALID_ARGUMENT';
    expect(await stage.play('tryWorklet', { engine, blocks: 10 })).toEqual({
      heard: [0, 1, 2, 3],
      back: [0, 1, 2, 3].map((i) => [i, 2 * i, true]),
      processor: {
        received: 4,
        engine,
        isEmpty: true,
        pages: 6,
        noFragment: 0,
        sends: [true, false],
        codes: [invalid, invalid, 'POOL_ERR_STALE_HANDLE', invalid, invalid],
        closed: [false, true],
        gone: [0, false, false],
        silence: [0, 0],
      },
      end: HOME,
    });
  });

  test('the examples of the documents print what they promise', async () => {
    const pages = blocksOf('page');
    expect(pages.map(([page]) => page)).toEqual(['doctor', 'frames', 'streams', 'files', 'audio']);
    const scripts = [...pages.map(([page, script]) => [`${page}.js`, script] as const), ...blocksOf('file')];
    const html = (page: string) =>
      `<!doctype html><meta charset="utf-8"><title>.</title><script type="module" src="${page}.js"></script>`;
    const files = Object.fromEntries([
      ...scripts.map(([file, script]) => [`/${file}`, resolved(script)]),
      ...pages.map(([page]) => [`/${page}.html`, html(page)]),
    ]);
    const site = await serve({ folders: builtPackage, files, headers: ISOLATION });
    try {
      for (const [page, script] of pages) {
        const promised = [...script.matchAll(/^(?:\s*console\.log|\}\)\)).*; \/\/ (.*)$/gm)].map((match) => match[1]);
        expect(promised.length, page).toBeGreaterThan(0);
        const opened = await browser.open(`${site.origin}/${page}.html`);
        await untilPrinted(opened, promised.length);
        expect({ page, printed: opened.printed, errors: opened.errors }).toEqual({
          page,
          printed: promised,
          errors: [],
        });
        await opened.close();
      }
      expect(site.missing).toEqual([]);
    } finally {
      await site.close();
    }
  });
});

test('WebKitGTK with shared memory switched on: what it silently corrupts is found and copied', async () => {
  const browser = await launchSharingWebKit();
  try {
    const right = {
      text: true,
      fatal: true,
      digest: true,
      copy: true,
      body: true,
      blob: true,
      clone: true,
      isRight: true,
    };
    const found = await play<{ page: Verdicts }>(browser, ISOLATION, 'border', {});
    expect(found).toMatchObject({
      mode: 'shared',
      rounds: [right, right],
      worker: { rounds: [right, right] },
      end: HOME,
    });
    expect(byApi(found.page)).toMatchObject({
      Blob: 'corrupted',
      'fetch body': 'corrupted',
      'AudioData.copyTo': 'untried',
    });
  } finally {
    await browser.close();
  }
});
