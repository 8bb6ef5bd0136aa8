// The inspector's page, look by look: what each changes in texts, cells, lines and plots, to the last digit.
//
// The looks are made up here, so that each says one thing. That real pools are shown as they are is for
// inspector.test.ts.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Page as Puppeteer } from 'puppeteer-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NOBODY, PLACES, type Place } from '../../src/inspect/page-map.js';
import { type Frame, type Look, packMap } from '../../src/inspector/wire.js';
import { type Browser, launchChromium, type Page } from '../support/browsers.js';
import { type Server, serve } from '../support/serve.js';
import { until } from '../support/waiting.js';

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

const alloc = {
  ...{ fast: 0, slow: 0, slowHighOrder: 0, empty: 0, refill: 0, waive: 0, fail: 0, stolen: 0, fragments: 0 },
};
const recycle = { cached: 0, cacheFull: 0, ring: 0, ringFull: 0, releasedRefcnt: 0 };
const counters = { alloc, recycle, hold: 0, release: 0, rejected: 0, repaired: 0, suspect: 0 };

type Port = Look['ports'][number];

const freePort = (portId: number): Port => ({
  ...{ portId, label: '', isClaimed: false, cached: 0, ...counters, state: 'free', reaper: null, thread: null },
  ...{
    held: 0,
    wanted: 0,
    isInStep: false,
    lanes: [
      { sent: 0, received: 0 },
      { sent: 0, received: 0 },
    ],
    waits: [],
  },
});
const portOf = (portId: number, label: string, more: Partial<Port> = {}): Port => ({
  ...{ ...freePort(portId), label, isClaimed: true, state: 'attached' },
  ...more,
});
const lanes = (...pairs: [sent: number, received: number][]): Port['lanes'] =>
  pairs.map(([sent, received]) => ({ sent, received }));

/** A map: the first pages of a place, as many as are said, by their owners. */
function mapOf(pageCount: number, runs: readonly (readonly [place: Place, pages: number, owner?: number])[]) {
  const [places, owners] = [new Uint8Array(pageCount), new Uint8Array(pageCount).fill(NOBODY)];
  let at = 0;
  for (const [place, pages, owner = NOBODY] of runs) {
    places.fill(PLACES.indexOf(place), at, at + pages);
    owners.fill(owner, at, at + pages);
    at += pages;
  }
  const byPlace = Object.fromEntries(PLACES.map((place) => [place, 0])) as Record<Place, number>;
  for (const place of places) byPlace[PLACES[place] as Place]++;
  return { map: { places, owners }, places: byPlace };
}

function lookOf(more: Partial<Look> = {}): Look {
  const pageCount = more.pageCount ?? 40;
  return {
    ...{ name: 'made up', state: 'active', hasMoved: false, atMs: 5000, readMs: 3.25, at: 1_000_000 },
    ...{ pageBytes: 4096, unitBytes: 64, pageCount, ...mapOf(pageCount, []), inflight: 12, counters },
    ...{ ports: [portOf(0, 'creator'), freePort(1)], channels: [], calls: [], rates: null },
    provider: { kind: 'wasm', state: 'own', wanted: 0, description: null, reserve: null },
    ...{ lints: [], holders: [], leaks: [], events: [] },
    ...more,
  };
}

let before: Look['map'] | null = null;
/** As the server sends it: the first map whole, the others as what has changed. */
function frameOf(look: Look): Frame {
  const map = packMap(look.map, before);
  before = look.map;
  return { ...look, map };
}

let browser: Browser;
let server: Server;
let page: Page;

beforeAll(async () => {
  const bundled = await build({ entryPoints: [path('pages/inspector-looks.js')], bundle: true, write: false });
  const style = await build({ entryPoints: [path('../../src/inspector/page/page.css')], bundle: true, write: false });
  // Text of one height, whatever fonts a machine has: where cards lie is a matter of numbers then.
  const fixed = `* { font: 10px/12px monospace !important; } #inspector { width: 1200px; }`;
  const document = `<!doctype html><meta charset="utf-8"><title>of its own</title>
    <style>${style.outputFiles[0]?.text}</style><style>${fixed}</style><body><script src="/looks.js"></script>`;
  server = await serve({ files: { '/looks.html': document, '/looks.js': bundled.outputFiles[0]?.text as string } });
  browser = await launchChromium();
  page = await browser.open(`${server.origin}/looks.html`);
  const puppet = page.puppet as Puppeteer;
  await puppet.emulateTimezone('UTC');
  await puppet.setViewport({ width: 1300, height: 900, deviceScaleFactor: 1 });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** Calls a function of the page. */
const ask = <T = void>(name: string, ...given: unknown[]): Promise<T> =>
  page.evaluate(`${name}(...${JSON.stringify(given)})`);
const show = (...names: string[]): Promise<string[]> => ask('show', ...names);
/** Lines for the eye: those that are too long for a page, in several. */
const folded = (lines: readonly string[]): string =>
  lines
    .flatMap((line) =>
      (line.match(/.{1,96}(?: |$)/gs) ?? ['']).map((part, i) => (i === 0 ? part : `    ${part}`).trimEnd()),
    )
    .join('\n');
/** What was seen, as lines. */
const expectLines = (seen: unknown) =>
  expect(folded([seen].flat(3).map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))));
const hear = (...looks: Look[]): Promise<void> => ask('hear', ...looks.map(frameOf));

/** An application in an element of its own; the one before it ends. */
function begin(isWhole = true): Promise<void> {
  before = null;
  return ask('begin', isWhole);
}

beforeEach(async () => {
  await page.evaluate(`localStorage.removeItem('pagepool-scheme')`);
  await begin();
});

/** A pool at work, with everything that can be shown. */
const BUSY: Partial<Look> = {
  ...mapOf(40, [
    ...([
      ['used', 3, 0],
      ['used', 5, 1],
      ['open', 1, 1],
      ['channel', 2, 0],
      ['channel', 1, 2],
    ] as const),
    ...([
      ['token', 1],
      ['reply', 1, 0],
      ['pinned', 1],
      ['cached', 4, 0],
      ['ring', 6],
      ['retired', 2],
    ] as const),
    ...([
      ['provider', 1],
      ['reserve', 2],
      ['nobody', 1],
      ['moving', 1],
    ] as const),
  ]),
  hasMoved: true,
  readMs: 12.6,
  inflight: 27,
  ports: [
    portOf(0, 'creator', { held: 3, cached: 4, lanes: lanes([5, 0], [0, 0]) }),
    portOf(1, 'reader', {
      ...{ held: 6, lanes: lanes([0, 7], [2, 0]), state: 'reaped' },
      waits: [
        { what: 'room in channel "full"', forMs: 2500 },
        { what: 'an entry of channel "work"', forMs: 700 },
      ],
    }),
    freePort(2),
    portOf(3, '', { lanes: lanes([0, 0], [0, 1]), waits: [{ what: 'an entry of channel "full"', forMs: 9000 }] }),
  ],
  channels: [
    {
      ...{ name: 'work', capacity: 8, pending: 2, waiting: { senders: 0, receivers: 1 } },
      ...{ sent: 5, received: 3, dropped: 0 },
    },
    {
      ...{ name: 'full', capacity: 4, pending: 4, waiting: { senders: 1, receivers: 0 } },
      ...{ sent: 7, received: 1, dropped: 2 },
    },
  ],
  calls: [
    {
      ...{ name: 'ask', capacity: 4, waiting: 1, serving: 2 },
      ...{ asked: 9, answered: 6, failed: 0, cancelled: 0 },
    },
  ],
  provider: {
    ...{ kind: 'slabs', state: 'gone', wanted: 3, reserve: { kind: 'spare', freePages: 2, isUsed: true } },
    description: { kind: 'slabs', freePages: 1234, areaBytes: 1536, bytes: 2048, name: 'mine', list: [1, 2] },
  },
  lints: [
    { name: 'stalled-wait', what: 'reader waits', remedy: 'help it', portId: 1 },
    { name: 'stalled-wait', what: 'creator waits', remedy: 'help it, too', portId: 0 },
  ],
  holders: [
    {
      ...{ kind: 'references', portId: 0, label: 'creator', claim: 1, channel: null, pageCount: 3, firstPages: [1] },
      text: 'creator has 3 pages',
    },
    {
      ...{ kind: 'channel', portId: null, label: '', claim: 0, channel: 'work', pageCount: 2, firstPages: [10] },
      text: 'work has 2 pages',
    },
  ],
  leaks: [
    leakOf({ page: 1, bytes: 100, ageMs: 130_000, stack: '  at one (a.js:1)\n  at main' }),
    leakOf({ page: 2, bytes: 1000, ageMs: 900, isDropped: true, stack: 'at two' }),
    leakOf({ page: 3, bytes: 24, ageMs: 400, stack: '  at one (a.js:1)\n  at main' }),
  ],
  events: [
    { at: 1_000_000, kind: 'attach', text: 'reader came' },
    { at: 1_001_000, kind: 'drop', text: 'full dropped 2' },
  ],
};

function leakOf(more: Partial<Look['leaks'][number]>): Look['leaks'][number] {
  return {
    ...{ pool: 'made up', handle: 1, page: 1, bytes: 1, ageMs: 1, portId: 0, label: 'creator', origin: 'allocated' },
    ...{ references: 1, left: {}, isDropped: false, stack: '' },
    ...more,
  };
}

test('a young pool', async () => {
  await hear(lookOf({ pageCount: 4 }));
  expectLines(await show('head', 'map', 'flow', 'plots', 'lists')).toMatchInlineSnapshot(`
    "title made up – pagepool | made up | 4 pages of 4 KiB, 16 KiB · read in 3.3 ms
    state active active
    banner hidden:
    In flight: 12 =12 | 300 % · 48 KiB
    Allocations: 0/s =0 | 0/s fragments
    Hand-offs: 0/s =0 | 0 entries in channels
    Waiting: 0 =0 | 1 threads attached
    Findings: 0 =0 | nothing found
    places shown: used 0=0-, channel 0=0-, cached 0=0-, ring 0=0-, fresh 4=4
    owners hidden:
    By place true, By owner false
    tells Point at a page, or focus the map and use the arrow keys.
    canvas 1118 x 30, 30px
    Memory
      Provider (wasm) 100% place-retired: pages 4, taken 0/s
      Ring (idle pages between threads) 0% place-ring: pages 0, recycled 0/s
    Threads
      creator () 0% owner-0: holds 0, caches 0, allocates 0/s
    Channels
    lines  0 0 1118 164
    M286.3 43.5C340.3 43.5 340.3 85.0 394.3 85.0 | #e3e6eb | 1.00 |
    M286.3 120.5C340.3 120.5 340.3 85.0 394.3 85.0 | #e3e6eb | 1.00 |
    M394.3 99.0C340.3 99.0 340.3 134.5 286.3 134.5 | #e3e6eb | 1.00 |
    In flight pages: in flight 12 plot-1, used 0 place-used, in channels 0 place-channel
    Allocations by tier a second: cache 0 place-cached, ring 0 place-ring, provider 0 place-retired,
        stolen 0 place-channel, found none 0 bad
    Waits threads that wait for a page or for room: waiting threads 0 warn
    Bytes of pages: out 48 KiB plot-1, held 0 B place-used
    findings none shown
    thread owner-0 creator | 0 | attached | 0 | 0 | 0/s |
    holders none shown
    stacks hidden
    events none shown"
  `);
  expectLines(await show('tools')).toMatchInlineSnapshot(`
    "button Pause
    button Record
    button Open
    button Theme: auto
    button Play
    button Back to live
    player hidden 0 of
    scheme system light"
  `);
});

/** The same a second later, with everything in motion. */
function moved(more: Partial<Look> = {}): Look {
  const ports = (BUSY.ports as Port[]).map((port) =>
    port.portId === 0
      ? {
          ...port,
          ...{ hold: 5, alloc: { ...alloc, fast: 1000, refill: 20, slow: 3 }, recycle: { ...recycle, ring: 40 } },
          lanes: lanes([105, 0], [0, 0]),
        }
      : port.portId === 1
        ? { ...port, hold: 2 ** 32 - 1, lanes: lanes([0, 107], [2, 0]), state: 'attached' as const }
        : port,
  );
  const total = { ...alloc, fast: 1000, refill: 20, slow: 3, stolen: 4, fail: 6 };
  return lookOf({
    ...BUSY,
    ...{ atMs: 7000, at: 1_002_000, ports, counters: { ...counters, alloc: total }, events: [] },
    rates: {
      ...{ overMs: 2000, allocated: 511.5, fragments: 12_345, recycled: 99.5, taken: 1.5, failed: 3 },
      channels: [
        { sent: 50, received: 49, dropped: 0 },
        { sent: 1_500_000, received: 2.5, dropped: 1 },
      ],
      calls: [{ asked: 7, answered: 8 }],
    },
    ...more,
  });
}

test('everything at once, a second later, and nothing any more', async () => {
  await hear(lookOf(BUSY));
  expectLines(await show('head', 'map', 'flow', 'plots', 'lists')).toMatchInlineSnapshot(`
    "title made up – pagepool | made up | 40 pages of 4 KiB, 160 KiB · read in 13 ms
    state active active
    banner hidden:
    In flight: 27 =27 | 68 % · 108 KiB
    Allocations: 0/s =0 | 0/s fragments
    Hand-offs: 0/s =0 | 6 entries in channels, 3 open calls
    Waiting: 1 =1 | at least 2.5 s for room in channel "full" ALARM
    Findings: 2 =2 | stalled-wait ALARM
    places shown: used 8=8, open 1=1, channel 3=3, token 1=1, reply 1=1, moving 1=1, pinned 1=1,
        cached 4=4, ring 6=6, retired 2=2, fresh 8=8, provider 1=1, reserve 2=2, nobody 1=1
    owners hidden:
    By place true, By owner false
    tells Point at a page, or focus the map and use the arrow keys. Threads moved pages during the
        look.
    canvas 1118 x 30, 30px
    Memory
      Provider (slabs, its thread is gone) 27.5% place-retired: pages 11, taken 0/s, wanted 3,
        pinned 1, free pages 1,234, area 1.5 KiB, memory 2 KiB, name mine, list [1,2] ALARM
      Reserve (spare) 5% place-reserve: pages 2, free pages 2, is used true
      Ring (idle pages between threads) 15% place-ring: pages 6, recycled 0/s
    Threads
      creator () 7.5% owner-0: holds 3, caches 4, allocates 0/s
      reader (reaped, waits at least 2.5 s for room in channel "full") 15% owner-1: holds 6, caches
        0, allocates 0/s ALARM
      port 3 (idle) 0% owner-3: holds 0, caches 0, allocates 0/s
    Channels
      work (2 of 8) 25% lane-0: sent 0/s, received 0/s
      full (4 of 4) 100% warn: sent 0/s, received 0/s, wait for room 1, dropped 2 ALARM
      ask () (1 waiting, 2 in work) 75% lane-2: asked 0/s, answered 0/s
    lines  0 0 1118 307
    M286.3 73.5C340.3 73.5 340.3 58.5 394.3 58.5 | #e3e6eb | 1.00 |
    M286.3 263.5C340.3 263.5 340.3 58.5 394.3 58.5 | #e3e6eb | 1.00 |
    M394.3 72.5C340.3 72.5 340.3 277.5 286.3 277.5 | #e3e6eb | 1.00 |
    M723.6 58.5C777.6 58.5 777.6 61.5 831.6 61.5 | #e3e6eb | 1.00 |
    M286.3 73.5C340.3 73.5 340.3 156.5 394.3 156.5 | #e3e6eb | 1.00 |
    M286.3 263.5C340.3 263.5 340.3 156.5 394.3 156.5 | #e3e6eb | 1.00 |
    M394.3 170.5C340.3 170.5 340.3 277.5 286.3 277.5 | #e3e6eb | 1.00 |
    M831.6 75.5C777.6 75.5 777.6 170.5 723.6 170.5 | #e3e6eb | 1.00 |
    M723.6 156.5C777.6 156.5 777.6 156.5 831.6 156.5 | #e3e6eb | 1.00 |
    M286.3 73.5C340.3 73.5 340.3 254.5 394.3 254.5 | #e3e6eb | 1.00 |
    M286.3 263.5C340.3 263.5 340.3 254.5 394.3 254.5 | #e3e6eb | 1.00 |
    M394.3 268.5C340.3 268.5 340.3 277.5 286.3 277.5 | #e3e6eb | 1.00 |
    M831.6 170.5C777.6 170.5 777.6 268.5 723.6 268.5 | #e3e6eb | 1.00 |
    In flight pages: in flight 27 plot-1, used 9 place-used, in channels 3 place-channel
    Allocations by tier a second: cache 0 place-cached, ring 0 place-ring, provider 0 place-retired,
        stolen 0 place-channel, found none 0 bad
    Hand-offs a second: work 0 lane-0, full 0 lane-1, calls ask 0 lane-2
    Waits threads that wait for a page or for room: waiting threads 1 warn
    Bytes of pages: out 108 KiB plot-1, held 56 KiB place-used
    findings none hidden
    stalled-wait | reader waits | help it
    stalled-wait | creator waits | help it, too
    thread owner-0 creator | 0 | attached | 3 | 4 | 0/s |
    thread owner-1 reader | 1 | reaped | 6 | 0 | 0/s | room in channel "full", at least 2.5 s; an
        entry of channel "work"
    thread owner-3  | 3 | attached | 0 | 0 | 0/s | an entry of channel "full"
    holders none hidden
    holder creator has 3 pages
    holder work has 2 pages
    stacks shown
    leak 2 fragments, 124 B, allocated up to 2 min ago at one (a.js:1) /   at one (a.js:1)
      at main
    leak page 2, 1000 B, allocated up to 900 ms ago, collected with the reference at two / at two
    events none hidden
    event drop: 00:16:41 | drop | full dropped 2
    event attach: 00:16:40 | attach | reader came"
  `);
  await hear(moved());
  expectLines(await show('head', 'flow', 'plots', 'lists')).toMatchInlineSnapshot(`
    "title made up – pagepool | made up | 40 pages of 4 KiB, 160 KiB · read in 13 ms
    state active active
    banner hidden:
    In flight: 27 =27 | 68 % · 108 KiB
    Allocations: 512/s =511.5 | 3/s found none ALARM
    Hand-offs: 59.5/s =59.5 | 6 entries in channels, 3 open calls
    Waiting: 1 =1 | at least 2.5 s for room in channel "full" ALARM
    Findings: 2 =2 | stalled-wait ALARM
    Memory
      Provider (slabs, its thread is gone) 27.5% place-retired: pages 11, taken 1.50/s, wanted 3,
        pinned 1, free pages 1,234, area 1.5 KiB, memory 2 KiB, name mine, list [1,2] ALARM
      Reserve (spare) 5% place-reserve: pages 2, free pages 2, is used true
      Ring (idle pages between threads) 15% place-ring: pages 6, recycled 99.5/s
    Threads
      creator () 7.5% owner-0: holds 3, caches 4, allocates 512/s, → work 50/s
      reader (waits at least 2.5 s for room in channel "full") 15% owner-1: holds 6, caches 0,
        allocates 0/s, ← work 50/s ALARM
      port 3 (idle) 0% owner-3: holds 0, caches 0, allocates 0/s
    Channels
      work (2 of 8) 25% lane-0: sent 50/s, received 49/s
      full (4 of 4) 100% warn: sent 1.50 M/s, received 2.50/s, wait for room 1, dropped 2 ALARM
      ask () (1 waiting, 2 in work) 75% lane-2: asked 7/s, answered 8/s
    lines  0 0 1118 307
    M286.3 73.5C340.3 73.5 340.3 58.5 394.3 58.5 | #b9c2cd | 1.69 | pp-moves
    M286.3 263.5C340.3 263.5 340.3 58.5 394.3 58.5 | #4b92d1 | 2.14 | pp-moves
    M394.3 72.5C340.3 72.5 340.3 277.5 286.3 277.5 | #4b92d1 | 2.39 | pp-moves
    M723.6 58.5C777.6 58.5 777.6 61.5 831.6 61.5 | #3b82c4 | 2.74 | pp-moves
    M286.3 73.5C340.3 73.5 340.3 156.5 394.3 156.5 | #b9c2cd | 7.00 | pp-moves
    M286.3 263.5C340.3 263.5 340.3 156.5 394.3 156.5 | #e3e6eb | 1.00 |
    M394.3 170.5C340.3 170.5 340.3 277.5 286.3 277.5 | #e3e6eb | 1.00 |
    M831.6 75.5C777.6 75.5 777.6 170.5 723.6 170.5 | #1f3f73 | 2.74 | pp-moves
    M723.6 156.5C777.6 156.5 777.6 156.5 831.6 156.5 | #e3e6eb | 1.00 |
    M286.3 73.5C340.3 73.5 340.3 254.5 394.3 254.5 | #e3e6eb | 1.00 |
    M286.3 263.5C340.3 263.5 340.3 254.5 394.3 254.5 | #e3e6eb | 1.00 |
    M394.3 268.5C340.3 268.5 340.3 277.5 286.3 277.5 | #e3e6eb | 1.00 |
    M831.6 170.5C777.6 170.5 777.6 268.5 723.6 268.5 | #e3e6eb | 1.00 |
    In flight pages: in flight 27 plot-1, used 9 place-used, in channels 3 place-channel
    Allocations by tier a second: cache 500 place-cached, ring 10 place-ring, provider 1.50
        place-retired, stolen 2 place-channel, found none 3 bad
    Hand-offs a second: work 49 lane-0, full 2.50 lane-1, calls ask 8 lane-2
    Waits threads that wait for a page or for room: waiting threads 1 warn
    Bytes of pages: out 108 KiB plot-1, held 56 KiB place-used
    findings none hidden
    stalled-wait | reader waits | help it
    stalled-wait | creator waits | help it, too
    thread owner-0 creator | 0 | attached | 3 | 4 | 512/s |
    thread owner-1 reader | 1 | attached | 6 | 0 | 0/s | room in channel "full", at least 2.5 s; an
        entry of channel "work"
    thread owner-3  | 3 | attached | 0 | 0 | 0/s | an entry of channel "full"
    holders none hidden
    holder creator has 3 pages
    holder work has 2 pages
    stacks shown
    leak 2 fragments, 124 B, allocated up to 2 min ago at one (a.js:1) /   at one (a.js:1)
      at main
    leak page 2, 1000 B, allocated up to 900 ms ago, collected with the reference at two / at two
    events none hidden
    event drop: 00:16:41 | drop | full dropped 2
    event attach: 00:16:40 | attach | reader came"
  `);
  expectLines(await show('drawnPlots')).toMatchInlineSnapshot(`
    "plot text 60 s
    plot text 40 s
    plot text 20 s
    plot text now
    plot text 0
    plot text 10
    plot text 20
    plot text 30
    plot line #e3e6eb 1
    plot area rgba(74, 90, 112, 0.133)
    plot line #4a5a70 1.5
    plot line #e8893a 1.5
    plot line #8b6fd1 1.5
    plot text 60 s
    plot text 40 s
    plot text 20 s
    plot text now
    plot text 0
    plot text 200
    plot text 400
    plot text 600
    plot line #e3e6eb 1
    plot area rgba(169, 208, 240, 0.133)
    plot line #a9d0f0 1.5
    plot line #4b92d1 1.5
    plot line #b9c2cd 1.5
    plot line #8b6fd1 1.5
    plot line #c9372c 1.5
    plot text 60 s
    plot text 40 s
    plot text 20 s
    plot text now
    plot text 0
    plot text 20
    plot text 40
    plot text 60
    plot line #e3e6eb 1
    plot area rgba(31, 63, 115, 0.133)
    plot line #1f3f73 1.5
    plot line #7a1f45 1.5
    plot line #1d5a3a 1.5
    plot text 60 s
    plot text 40 s
    plot text 20 s
    plot text now
    plot text 0
    plot text 1
    plot line #e3e6eb 1
    plot area rgba(183, 104, 26, 0.133)
    plot line #b7681a 1.5
    plot text 60 s
    plot text 40 s
    plot text 20 s
    plot text now
    plot text 0 B
    plot text 64 KiB
    plot text 128 KiB
    plot line #e3e6eb 1
    plot area rgba(74, 90, 112, 0.133)
    plot line #4a5a70 1.5
    plot line #e8893a 1.5"
  `);
  await hear(lookOf({ atMs: 8000, at: 1_003_000, events: [] }));
  expectLines(await show('head', 'flow', 'plots', 'lists')).toMatchInlineSnapshot(`
    "title made up – pagepool | made up | 40 pages of 4 KiB, 160 KiB · read in 3.3 ms
    state active active
    banner hidden:
    In flight: 12 =12 | 30 % · 48 KiB
    Allocations: 0/s =0 | 0/s fragments
    Hand-offs: 0/s =0 | 0 entries in channels
    Waiting: 0 =0 | 1 threads attached
    Findings: 0 =0 | nothing found
    Memory
      Provider (wasm) 100% place-retired: pages 40, taken 0/s
      Ring (idle pages between threads) 0% place-ring: pages 0, recycled 0/s
    Threads
      creator () 0% owner-0: holds 0, caches 0, allocates 0/s
    Channels
    lines  0 0 1118 164
    M286.3 43.5C340.3 43.5 340.3 85.0 394.3 85.0 | #b9c2cd | 7.00 | pp-moves
    M286.3 120.5C340.3 120.5 340.3 85.0 394.3 85.0 | #e3e6eb | 1.00 |
    M394.3 99.0C340.3 99.0 340.3 134.5 286.3 134.5 | #e3e6eb | 1.00 |
    In flight pages: in flight 12 plot-1, used 0 place-used, in channels 0 place-channel
    Allocations by tier a second: cache 0 place-cached, ring 0 place-ring, provider 0 place-retired,
        stolen 0 place-channel, found none 0 bad
    Waits threads that wait for a page or for room: waiting threads 0 warn
    Bytes of pages: out 48 KiB plot-1, held 0 B place-used
    findings none shown
    thread owner-0 creator | 0 | attached | 0 | 0 | 0/s |
    holders none shown
    stacks hidden
    events none hidden
    event drop: 00:16:41 | drop | full dropped 2
    event attach: 00:16:40 | attach | reader came"
  `);
});

describe('the map', () => {
  const narrow = (more: Partial<Look> = {}): Look => lookOf({ ...BUSY, ...more });
  beforeEach(async () => {
    await ask('resize', '300px');
  });

  test('draws each page in the colour of its place, and the one that is told about with an outline', async () => {
    await hear(narrow());
    await ask('settle');
    await hear(narrow());
    expectLines(await show('drawnMap')).toMatchInlineSnapshot(`
      "map setTransform 1,0,0,1,0,0
      map clearRect 0,0,246,134
      map translate 2,2
      map #e8893a: round 0,0,24,24,3; round 26,0,24,24,3; round 52,0,24,24,3; round 78,0,24,24,3;
          round 104,0,24,24,3; round 130,0,24,24,3; round 156,0,24,24,3; round 182,0,24,24,3
      map #f5c894: round 208,0,24,24,3
      map #8b6fd1: round 0,26,24,24,3; round 26,26,24,24,3; round 52,26,24,24,3
      map #c86bb0: round 78,26,24,24,3
      map #b39ae6: round 104,26,24,24,3
      map #c9372c: round 130,26,24,24,3
      map #a9d0f0: round 156,26,24,24,3; round 182,26,24,24,3; round 208,26,24,24,3; round
          0,52,24,24,3
      map #4b92d1: round 26,52,24,24,3; round 52,52,24,24,3; round 78,52,24,24,3; round
          104,52,24,24,3; round 130,52,24,24,3; round 156,52,24,24,3
      map #b9c2cd: round 182,52,24,24,3; round 208,52,24,24,3
      map #d3d9e0: round 0,78,24,24,3
      map #d5dbe9: round 26,78,24,24,3; round 52,78,24,24,3
      map #7a1f18: round 78,78,24,24,3
      map #d9c08f: round 104,78,24,24,3
      map #e4e8ed: round 130,78,24,24,3; round 156,78,24,24,3; round 182,78,24,24,3; round
          208,78,24,24,3; round 0,104,24,24,3; round 26,104,24,24,3; round 52,104,24,24,3; round
          78,104,24,24,3"
    `);
    expect(await ask('key', 'End', '.pp-canvas')).toBe(true);
    expectLines((await show('drawnMap')).at(-1)).toMatchInlineSnapshot(`"map #1b2027 2: outline 77,103,26,26"`);
    await ask('key', 'Home', '.pp-canvas');
    expect((await show('drawnMap')).at(-1)).toBe('map #1b2027 2: outline -1,-1,26,26');
    await ask('key', 'End', '.pp-canvas');
    // The page is not there any more: nothing is told about it.
    await hear(narrow({ pageCount: 6, ...mapOf(6, [['used', 6, 0]]) }));
    expect((await show('drawnMap')).filter((line) => line.includes('outline'))).toEqual([]);
    expectLines(await show('map')).toMatchInlineSnapshot(`
      "places shown: used 6=6, channel 0=0-, cached 0=0-, ring 0=0-, fresh 0=0-
      owners hidden:
      By place true, By owner false
      tells Point at a page, or focus the map and use the arrow keys. Threads moved pages during the
          look.
      canvas 246 x 30, 30px"
    `);
  });

  test('goes by owners, and lists those that there are', async () => {
    await hear(narrow());
    await ask('press', 'By owner');
    expectLines(await show('map', 'drawnMap')).toMatchInlineSnapshot(`
      "places hidden: used 8=8, open 1=1, channel 3=3, token 1=1, reply 1=1, moving 1=1, pinned 1=1,
          cached 4=4, ring 6=6, retired 2=2, fresh 8=8, provider 1=1, reserve 2=2, nobody 1=1
      owners shown: creator (0) rgb(59, 130, 196), reader (1) rgb(232, 137, 58),  (3) rgb(196, 82,
          122), channel work rgb(31, 63, 115), channel full rgb(122, 31, 69), calls ask rgb(29, 90, 58)
      By place false, By owner true
      tells Point at a page, or focus the map and use the arrow keys. Threads moved pages during the
          look.
      canvas 246 x 134, 134px
      map setTransform 1,0,0,1,0,0
      map clearRect 0,0,246,134
      map translate 2,2
      map #3b82c4: round 0,0,24,24,3; round 26,0,24,24,3; round 52,0,24,24,3; round 104,26,24,24,3;
          round 156,26,24,24,3; round 182,26,24,24,3; round 208,26,24,24,3; round 0,52,24,24,3
      map #e8893a: round 78,0,24,24,3; round 104,0,24,24,3; round 130,0,24,24,3; round 156,0,24,24,3;
          round 182,0,24,24,3; round 208,0,24,24,3
      map #1f3f73: round 0,26,24,24,3; round 26,26,24,24,3
      map #1d5a3a: round 52,26,24,24,3
      map #e4e8ed: round 78,26,24,24,3; round 130,26,24,24,3; round 26,52,24,24,3; round
          52,52,24,24,3; round 78,52,24,24,3; round 104,52,24,24,3; round 130,52,24,24,3; round
          156,52,24,24,3; round 182,52,24,24,3; round 208,52,24,24,3; round 0,78,24,24,3; round
          26,78,24,24,3; round 52,78,24,24,3; round 78,78,24,24,3; round 104,78,24,24,3; round
          130,78,24,24,3; round 156,78,24,24,3; round 182,78,24,24,3; round 208,78,24,24,3; round
          0,104,24,24,3; round 26,104,24,24,3; round 52,104,24,24,3; round 78,104,24,24,3"
    `);
    await hear(narrow({ ports: [portOf(0, 'renamed')], channels: [] }));
    expectLines((await show('map'))[1]).toMatchInlineSnapshot(
      `"owners shown: renamed (0) rgb(59, 130, 196), calls ask rgb(31, 63, 115)"`,
    );
    await ask('press', 'By place');
    expectLines((await show('map')).slice(0, 3)).toMatchInlineSnapshot(`
      "places shown: used 8=8, open 1=1, channel 3=3, token 1=1, reply 1=1, moving 1=1, pinned 1=1,
          cached 4=4, ring 6=6, retired 2=2, fresh 8=8, provider 1=1, reserve 2=2, nobody 1=1
      owners hidden: renamed (0) rgb(59, 130, 196), calls ask rgb(31, 63, 115)
      By place true, By owner false"
    `);
  });

  test('has cells that are smaller the more there are, and apart as long as they are not small', async () => {
    const drawn: string[] = [];
    for (const pageCount of [1, 200, 1000, 2200, 40_000]) {
      await hear(lookOf({ pageCount, ...mapOf(pageCount, [['used', pageCount, 0]]) }));
      const cells = (await show('drawnMap')).findLast((line) => line.startsWith('map #')) ?? '';
      drawn.push(`${pageCount}: ${cells.split('; ').slice(0, 2).join('; ')}; … ${cells.split('; ').at(-1)}`);
      drawn.push((await show('map')).at(-1) as string);
    }
    expectLines(drawn).toMatchInlineSnapshot(`
      "1: map #e8893a: round 0,0,24,24,3; … map #e8893a: round 0,0,24,24,3
      canvas 246 x 30, 30px
      200: map #e8893a: round 0,0,16,16,3; round 18,0,16,16,3; … round 72,270,16,16,3
      canvas 246 x 292, 292px
      1000: map #e8893a: rect 0,0,7,7; rect 8,0,7,7; … rect 72,264,7,7
      canvas 246 x 276, 276px
      2200: map #e8893a: rect 0,0,4,4; rect 5,0,4,4; … rect 195,225,4,4
      canvas 246 x 234, 234px
      40000: map #e8893a: rect 0,0,2,2; rect 2,0,2,2; … rect 138,660,2,2
      canvas 246 x 666, 666px"
    `);
  });

  test('goes from page to page by keys, and by the pointer', async () => {
    await hear(narrow());
    const told: unknown[] = [];
    for (const key of [
      'ArrowRight',
      'ArrowRight',
      'ArrowLeft',
      'ArrowLeft',
      'ArrowDown',
      'ArrowUp',
      'End',
      'Home',
      'x',
    ])
      told.push(`${key} ${await ask('key', key, '.pp-canvas')} ${(await show('map'))[3]}`);
    told.push(`Escape ${await ask('key', 'Escape', '.pp-canvas')} ${(await show('map'))[3]}`);
    for (const [kind, x, y] of [
      ['pointermove', 2, 2],
      ['pointermove', 27.9, 2],
      ['pointermove', 28, 2],
      ['pointermove', 2, 28],
      ['pointermove', 1, 2],
      ['pointermove', 209, 2],
      ['pointermove', 210, 2],
      ['pointermove', 236, 2],
      ['pointermove', 1, 30],
      ['pointerdown', 2, 132],
      ['pointerdown', 2, 160],
      ['pointerdown', 30, 30],
      ['pointerleave', 30, 30],
      ['pointerdown', 30, 30],
      ['blur', 0, 0],
    ] as const) {
      told.push(`${kind} ${x} ${y} ${await ask('point', kind, x, y)}`);
    }
    expectLines(told).toMatchInlineSnapshot(`
      "ArrowRight true tells Page 1: held by a thread: creator (port 0)
      ArrowRight true tells Page 2: held by a thread: creator (port 0)
      ArrowLeft true tells Page 1: held by a thread: creator (port 0)
      ArrowLeft true tells Page 1: held by a thread: creator (port 0)
      ArrowDown true tells Page 10: in a channel, not received: channel work
      ArrowUp true tells Page 1: held by a thread: creator (port 0)
      End true tells Page 40: fresh, never used
      Home true tells Page 1: held by a thread: creator (port 0)
      x false tells Page 1: held by a thread: creator (port 0)
      Escape false tells Point at a page, or focus the map and use the arrow keys. Threads moved pages
          during the look.
      pointermove 2 2 Page 1: held by a thread: creator (port 0)
      pointermove 27.9 2 Page 1: held by a thread: creator (port 0)
      pointermove 28 2 Page 2: held by a thread: creator (port 0)
      pointermove 2 28 Page 10: in a channel, not received: channel work
      pointermove 1 2 Point at a page, or focus the map and use the arrow keys. Threads moved pages
          during the look.
      pointermove 209 2 Page 8: held by a thread: reader (port 1)
      pointermove 210 2 Page 9: open for fragments, nobody has one: reader (port 1)
      pointermove 236 2 Point at a page, or focus the map and use the arrow keys. Threads moved pages
          during the look.
      pointermove 1 30 Point at a page, or focus the map and use the arrow keys. Threads moved pages
          during the look.
      pointerdown 2 132 Point at a page, or focus the map and use the arrow keys. Threads moved pages
          during the look.
      pointerdown 2 160 Point at a page, or focus the map and use the arrow keys. Threads moved pages
          during the look.
      pointerdown 30 30 Page 11: in a channel, not received: channel work
      pointerleave 30 30 Point at a page, or focus the map and use the arrow keys. Threads moved pages
          during the look.
      pointerdown 30 30 Page 11: in a channel, not received: channel work
      blur 0 0 Point at a page, or focus the map and use the arrow keys. Threads moved pages during
          the look."
    `);
  });

  test('tells of every page where it is, and whose', async () => {
    await hear(narrow());
    const told: string[] = [];
    for (let i = 0; i < 40; i++) {
      await ask('key', 'ArrowRight', '.pp-canvas');
      told.push((await show('map'))[3] as string);
    }
    expectLines([...new Set(told.map((text) => text.replace(/Page \d+/, 'Page')))]).toMatchInlineSnapshot(`
      "tells Page: held by a thread: creator (port 0)
      tells Page: held by a thread: reader (port 1)
      tells Page: open for fragments, nobody has one: reader (port 1)
      tells Page: in a channel, not received: channel work
      tells Page: in a channel, not received: calls ask
      tells Page: lent, not adopted
      tells Page: an answer not collected: creator (port 0)
      tells Page: left while pinned
      tells Page: in a thread's cache: creator (port 0)
      tells Page: in the recycle ring
      tells Page: given back to the pool, ready for use
      tells Page: with its provider
      tells Page: of the reserve
      tells Page: nobody has it
      tells Page: on its way during the look
      tells Page: fresh, never used"
    `);
  });

  test('has pixels of the screen, two for one at most', async () => {
    const sizes: string[] = [];
    const puppet = page.puppet as Puppeteer;
    for (const deviceScaleFactor of [2, 3, 1]) {
      await puppet.setViewport({ width: 1300, height: 900, deviceScaleFactor });
      await hear(narrow());
      sizes.push((await show('map')).at(-1) as string, (await show('drawnMap')).at(0) as string);
    }
    expectLines(sizes).toMatchInlineSnapshot(`
      "canvas 492 x 268, 134px
      map setTransform 2,0,0,2,0,0
      canvas 492 x 268, 134px
      map setTransform 2,0,0,2,0,0
      canvas 246 x 134, 134px
      map setTransform 1,0,0,1,0,0"
    `);
  });
});

test('a narrow page has no lines; plots take the width that they have, and keep it where they are hidden', async () => {
  await hear(lookOf(BUSY));
  const linesOf = async (): Promise<string[]> => (await show('flow')).filter((line) => /^(?:lines|M\d)/.test(line));
  const wide = await linesOf();
  expect(await ask('resize', '400px')).toEqual([true, true, true, true, true]);
  expect((await linesOf())[0]).toMatch(/^lines none/);
  expectLines(await ask('plotWidths')).toMatchInlineSnapshot(`
    "346px
    346px
    346px
    346px
    346px"
  `);
  await ask('resize', '0px; display: none');
  expectLines(await ask('plotWidths')).toMatchInlineSnapshot(`
    "346px
    346px
    346px
    346px
    346px"
  `);
  expect(await ask('resize', '1200px')).toEqual([true, true, true, true, true]);
  expect(await linesOf()).toEqual(wide);
});

test('what comes, changes or goes between two looks keeps its element, or loses it', async () => {
  await hear(lookOf(BUSY));
  await ask('mark');
  const [work, full] = BUSY.channels as Look['channels'];
  const [creator, reader] = BUSY.ports as Port[];
  await hear(
    lookOf({
      ...BUSY,
      ports: [creator as Port, reader as Port, portOf(2, 'new'), freePort(3)],
      channels: [{ ...(work as Look['channels'][number]), pending: 8 }],
      calls: [],
      lints: [{ name: 'stalled-wait', what: 'creator waits on', remedy: 'help it', portId: 0 }],
      leaks: [],
      events: [],
    }),
  );
  expect(full?.name).toBe('full');
  expectLines(await show('marked', 'flow', 'lists')).toMatchInlineSnapshot(`
    "gone LI 0 reader waits
    kept LI 1 creator waits
    kept path 2
    kept path 3
    kept path 4
    kept path 5
    kept path 6
    kept path 7
    kept path 8
    kept path 9
    gone path 10
    gone path 11
    gone path 12
    gone path 13
    gone path 14
    kept DIV 15 Provider
    kept DIV 16 Reserve
    kept DIV 17 Ring
    kept DIV 18 creator
    kept DIV 19 reader
    gone DIV 20 port 3
    kept DIV 21 work
    gone DIV 22 full
    gone DIV 23 ask ()
    kept TR 24 creator
    kept TR 25 reader
    gone TR 26
    Memory
      Provider (slabs, its thread is gone) 27.5% place-retired: pages 11, taken 0/s, wanted 3,
        pinned 1, free pages 1,234, area 1.5 KiB, memory 2 KiB, name mine, list [1,2] ALARM
      Reserve (spare) 5% place-reserve: pages 2, free pages 2, is used true
      Ring (idle pages between threads) 15% place-ring: pages 6, recycled 0/s
    Threads
      creator () 7.5% owner-0: holds 3, caches 4, allocates 0/s
      reader (reaped, waits at least 2.5 s for room in channel "full") 15% owner-1: holds 6, caches
        0, allocates 0/s ALARM
      new () 0% owner-2: holds 0, caches 0, allocates 0/s
    Channels
      work (8 of 8) 100% warn: sent 0/s, received 0/s ALARM
    lines  0 0 1118 307
    M286.3 73.5C340.3 73.5 340.3 58.5 394.3 58.5 | #e3e6eb | 1.00 |
    M286.3 263.5C340.3 263.5 340.3 58.5 394.3 58.5 | #e3e6eb | 1.00 |
    M394.3 72.5C340.3 72.5 340.3 277.5 286.3 277.5 | #e3e6eb | 1.00 |
    M723.6 58.5C777.6 58.5 777.6 156.5 831.6 156.5 | #e3e6eb | 1.00 |
    M286.3 73.5C340.3 73.5 340.3 156.5 394.3 156.5 | #e3e6eb | 1.00 |
    M286.3 263.5C340.3 263.5 340.3 156.5 394.3 156.5 | #e3e6eb | 1.00 |
    M394.3 170.5C340.3 170.5 340.3 277.5 286.3 277.5 | #e3e6eb | 1.00 |
    M831.6 170.5C777.6 170.5 777.6 170.5 723.6 170.5 | #e3e6eb | 1.00 |
    M286.3 73.5C340.3 73.5 340.3 254.5 394.3 254.5 | #e3e6eb | 1.00 |
    M286.3 263.5C340.3 263.5 340.3 254.5 394.3 254.5 | #e3e6eb | 1.00 |
    M394.3 268.5C340.3 268.5 340.3 277.5 286.3 277.5 | #e3e6eb | 1.00 |
    findings none hidden
    stalled-wait | creator waits on | help it
    thread owner-0 creator | 0 | attached | 3 | 4 | 0/s |
    thread owner-1 reader | 1 | reaped | 6 | 0 | 0/s | room in channel "full", at least 2.5 s; an
        entry of channel "work"
    thread owner-2 new | 2 | attached | 0 | 0 | 0/s |
    holders none hidden
    holder creator has 3 pages
    holder work has 2 pages
    stacks hidden
    events none hidden
    event drop: 00:16:41 | drop | full dropped 2
    event attach: 00:16:40 | attach | reader came"
  `);
});

describe('the application', () => {
  test('says what the pool’s state is, and that nothing comes any more', async () => {
    const said: string[] = [];
    await ask('lose', 'Gone.');
    said.push(...(await show('head')).slice(1, 3));
    for (const state of ['active', 'closing', 'destroyed'] as const) {
      await hear(lookOf({ state }));
      said.push(...(await show('head')).slice(1, 3));
    }
    await ask('lose', 'The inspector was closed.');
    said.push(...(await show('head')).slice(1, 3));
    expectLines(said).toMatchInlineSnapshot(`
      "state not connected not connected
      banner shown ALARM: Gone.
      state active active
      banner hidden:
      state closing closing
      banner shown: The pool is closing: it waits for what threads still hold.
      state destroyed destroyed
      banner shown: The pool has been closed. This is how it ended.
      state not connected not connected
      banner shown ALARM: The inspector was closed. What you see is the last look, of 00:16:40."
    `);
  });

  test('stands still while it is paused, and has missed nothing when it goes on', async () => {
    await hear(lookOf());
    await ask('press', 'Pause');
    expect((await show('tools'))[0]).toBe('button Go on pressed=true');
    await hear(lookOf({ inflight: 30, atMs: 6000, events: [{ at: 0, kind: 'grow', text: 'more pages' }] }));
    expect((await show('head'))[3]).toBe('In flight: 12 =12 | 30 % · 48 KiB');
    expect((await show('lists')).at(-1)).toBe('event grow: 00:00:00 | grow | more pages');
    await ask('press', 'Go on');
    expect((await show('tools'))[0]).toBe('button Pause pressed=false');
    expect((await show('head'))[3]).toBe('In flight: 30 =30 | 75 % · 120 KiB');
    // The key does the same, but where the focus is on what has a use for it.
    expect(await ask('key', ' ')).toBe(true);
    expect((await show('tools'))[0]).toBe('button Go on pressed=true');
    for (const selector of ['button', 'input', 'canvas']) expect(await ask('key', ' ', selector)).toBe(false);
    expect(await ask('key', 'a')).toBe(false);
    expect((await show('tools'))[0]).toBe('button Go on pressed=true');
    expect(await ask('key', ' ', 'h1')).toBe(true);
    expect((await show('tools'))[0]).toBe('button Pause pressed=false');
  });

  test('in somebody’s page hears keys inside alone, and leaves the title', async () => {
    await page.evaluate(`document.title = 'of its own'`);
    await begin(false);
    await hear(lookOf());
    expect((await show('head'))[0]).toMatch(/^title of its own [|] made up [|]/);
    expect(await ask('key', ' ')).toBe(false);
    expect(await ask('key', ' ', 'h1')).toBe(true);
    expect((await show('tools'))[0]).toBe('button Go on pressed=true');
  });

  test('forgets what was of a pool of another name', async () => {
    const event = { at: 0, kind: 'grow', text: 'more pages' } as const;
    await hear(lookOf({ events: [event] }), lookOf({ events: [] }));
    expect((await show('lists')).at(-1)).toContain('more pages');
    await hear(lookOf({ name: 'another' }));
    expect((await show('lists')).at(-1)).toBe('events none shown');
  });

  test('keeps two hundred events', async () => {
    const events = Array.from({ length: 201 }, (_, i) => ({ at: 0, kind: 'grow', text: `event ${i}` }) as const);
    await hear(lookOf({ events }));
    const lines = (await show('lists')).filter((line) => line.startsWith('event '));
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([
      200,
      'event grow: 00:00:00 | grow | event 200',
      'event grow: 00:00:00 | grow | event 1',
    ]);
  });

  test('a connection that was made again begins with a whole map', async () => {
    await hear(lookOf(BUSY));
    await ask('open');
    before = null;
    await hear(lookOf(BUSY));
    expect((await show('map'))[0]).toContain('used 8=8');
    // Without a map before it, what changed is a change of nothing.
    await ask('open');
    await hear(lookOf(BUSY));
    await ask('key', 'Home', '.pp-canvas');
    expect((await show('map'))[3]).toContain('Page 1: fresh, never used');
  });

  test('records, saves, loads and plays', async () => {
    await hear(lookOf({ at: 0, name: 'a pool/of mine' }));
    await ask('press', 'Record');
    expect((await show('tools'))[1]).toBe('button Stop · 0 pressed=true');
    for (const [i, at] of [1000, 1250, 9000].entries()) {
      await hear(
        lookOf({ at, inflight: i, atMs: at, name: 'a pool/of mine', events: [{ at, kind: 'grow', text: `${i}` }] }),
      );
      expect((await show('tools'))[1]).toBe(`button Stop · ${i + 1} pressed=true`);
    }
    await ask('press', 'Stop');
    expect((await show('tools'))[1]).toBe('button Record pressed=false');
    const [[name, text], ...others] = await ask<[[string, string]]>('savedFiles');
    expect(others).toEqual([]);
    expect(name).toMatch(/^pagepool-a-pool-of-mine-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d[.]json$/);
    expect(JSON.parse(text).frames.map(({ at }: Frame) => at)).toEqual([1000, 1250, 9000]);
    expect(await ask('tick')).toEqual([60_000]); // the saved file is forgotten
    await hear(lookOf({ at: 20_000, inflight: 9, name: 'a pool/of mine', events: [] }));

    // Nothing chosen, and something that is none: nothing changes but what is said.
    expect(await ask('choose')).toBe(0);
    await ask('choose', 'bad.json', '{}');
    await until(
      async () => (await show('head'))[2] === 'banner shown ALARM: bad.json: this file is not a recording.',
      async () => (await show('head'))[2],
    );
    expect((await show('tools')).at(-2)).toMatch(/^player hidden/);

    const state = async (): Promise<string[]> => [
      ...(await show('head')).slice(1, 4),
      ...(await show('tools')).slice(4, 7),
      ...(await show('lists')).filter((line) => line.startsWith('event')),
      `timers ${await ask('waiting')}`,
    ];
    expect(await ask('choose', 'good.json', text)).toBe(0);
    await until(async () => (await show('head'))[1] === 'state recording recording');
    const played = [await state()];
    for (let i = 0; i < 2; i++) {
      await ask('tick');
      played.push(await state());
    }
    expectLines(played).toMatchInlineSnapshot(`
      "state recording recording
      banner hidden:
      In flight: 0 =0 | 0 % · 0 B
      button Stop
      button Back to live
      player shown 0 of 2 00:00:01 · 0 ms
      events none hidden
      event grow: 00:00:01 | grow | 0
      timers 250
      state recording recording
      banner hidden:
      In flight: 1 =1 | 3 % · 4 KiB
      button Stop
      button Back to live
      player shown 1 of 2 00:00:01 · 250 ms
      events none hidden
      event grow: 00:00:01 | grow | 1
      event grow: 00:00:01 | grow | 0
      timers 2000
      state recording recording
      banner hidden:
      In flight: 2 =2 | 5 % · 8 KiB
      button Play
      button Back to live
      player shown 2 of 2 00:00:09 · 8.0 s
      events none hidden
      event grow: 00:00:09 | grow | 2
      event grow: 00:00:01 | grow | 1
      event grow: 00:00:01 | grow | 0
      timers"
    `);
    // Looks that come meanwhile, and an end, are not shown.
    await hear(lookOf({ at: 21_000, inflight: 10, name: 'a pool/of mine', events: [] }));
    await ask('lose', 'Gone.');
    await ask('press', 'Pause');
    await ask('press', 'Go on');
    expect(await state()).toEqual(played[2]);
    await ask('seek', 1);
    expectLines(await state()).toMatchInlineSnapshot(`
      "state recording recording
      banner hidden:
      In flight: 1 =1 | 3 % · 4 KiB
      button Play
      button Back to live
      player shown 1 of 2 00:00:01 · 250 ms
      events none hidden
      event grow: 00:00:01 | grow | 1
      event grow: 00:00:01 | grow | 0
      timers"
    `);
    await ask('seek', 0);
    expectLines((await state()).slice(3)).toMatchInlineSnapshot(`
      "button Play
      button Back to live
      player shown 0 of 2 00:00:01 · 0 ms
      events none hidden
      event grow: 00:00:01 | grow | 0
      timers"
    `);
    // The key plays; from the end it begins anew.
    expect(await ask('key', ' ', 'h1')).toBe(true);
    expect(await ask('waiting')).toEqual([250]);
    await ask('key', ' ', 'h1');
    expect([await ask('waiting'), (await show('tools'))[4]]).toEqual([[], 'button Play']);
    await ask('seek', 2);
    await ask('press', 'Play');
    expectLines([await ask('waiting'), (await show('tools')).at(-2)]).toMatchInlineSnapshot(`
      "250
      player shown 0 of 2 00:00:01 · 0 ms"
    `);
    await ask('press', 'Back to live');
    expectLines(await state()).toMatchInlineSnapshot(`
      "state active active
      banner hidden:
      In flight: 10 =10 | 25 % · 40 KiB
      button Play
      button Back to live
      player hidden 0 of 2 00:00:01 · 0 ms
      events none shown
      timers"
    `);
  });

  test('passes by what lies between two looks, whose rates are those of the second alone', async () => {
    const looks = [0, 100, 110].map((fast, i) =>
      lookOf({ at: 1000 * i, atMs: 1000 * i, ports: [portOf(0, 'creator', { alloc: { ...alloc, fast } })] }),
    );
    const frames = looks.map(frameOf);
    const creator = async (): Promise<string> =>
      (await show('flow')).find((line) => line.includes('creator')) as string;
    await ask('choose', 'three.json', JSON.stringify({ kind: 'pagepool recording', version: 1, frames }));
    await until(async () => (await show('head'))[1] === 'state recording recording');
    expect(await creator()).toContain('allocates 0/s');
    await ask('seek', 2);
    expect(await creator()).toContain('allocates 10/s');
    await ask('seek', 1);
    expect(await creator()).toContain('allocates 100/s');
  });

  test('has the scheme of the system, or the one that was chosen, and remembers it', async () => {
    const puppet = page.puppet as Puppeteer;
    const scheme = async (): Promise<string> => `${(await show('tools'))[3]}, ${(await show('tools')).at(-1)}`;
    const seen: string[] = [];
    await hear(lookOf(BUSY));
    await puppet.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await until(async () => (await scheme()).endsWith('dark'));
    seen.push(await scheme());
    for (let i = 0; i < 3; i++) {
      await ask('press', 'Theme');
      seen.push(await scheme());
      seen.push(...(await show('drawnMap')).filter((line) => line.startsWith('map #')).slice(0, 1));
      seen.push(...(await show('drawnPlots')).filter((line) => line.startsWith('plot line')).slice(0, 2));
      seen.push(((await show('flow')).find((line) => /^M\d/.test(line)) as string).split(' | ')[1] as string);
      await begin();
      seen.push(await scheme());
      await hear(lookOf(BUSY));
    }
    await page.evaluate(`localStorage.setItem('pagepool-scheme', 'none that there is')`);
    await begin();
    seen.push(await scheme());
    await puppet.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
    await until(async () => (await scheme()).endsWith('light'));
    expectLines(seen).toMatchInlineSnapshot(`
      "button Theme: auto, scheme system dark
      button Theme: light, scheme light light
      map #e8893a: round 0,0,24,24,3; round 26,0,24,24,3; round 52,0,24,24,3; round 78,0,24,24,3;
          round 104,0,24,24,3; round 130,0,24,24,3; round 156,0,24,24,3; round 182,0,24,24,3
      plot line #e3e6eb 1
      plot line #4a5a70 1.5
      #e3e6eb
      button Theme: light, scheme light light
      button Theme: dark, scheme dark dark
      map #ee9a50: round 0,0,24,24,3; round 26,0,24,24,3; round 52,0,24,24,3; round 78,0,24,24,3;
          round 104,0,24,24,3; round 130,0,24,24,3; round 156,0,24,24,3; round 182,0,24,24,3
      plot line #2a303a 1
      plot line #a9b6c8 1.5
      #2a303a
      button Theme: dark, scheme dark dark
      button Theme: auto, scheme system dark
      map #ee9a50: round 0,0,24,24,3; round 26,0,24,24,3; round 52,0,24,24,3; round 78,0,24,24,3;
          round 104,0,24,24,3; round 130,0,24,24,3; round 156,0,24,24,3; round 182,0,24,24,3
      plot line #2a303a 1
      plot line #a9b6c8 1.5
      #2a303a
      button Theme: auto, scheme system dark
      button Theme: auto, scheme system dark"
    `);
  });

  test('leaves nothing when it ends', async () => {
    await hear(lookOf(BUSY));
    await ask('press', 'Record');
    await hear(lookOf({ at: 0 }), lookOf({ at: 500 }));
    await ask('press', 'Stop');
    const [[, text]] = await ask<[[string, string]]>('savedFiles');
    await ask('tick');
    await ask('choose', 'good.json', text);
    await until(async () => (await ask<number[]>('waiting')).length === 1);
    expect(await ask('end')).toEqual({ children: 0, observers: 0, timers: 0, disconnected: 1 });
    expect(await ask('key', ' ')).toBe(false);
    const puppet = page.puppet as Puppeteer;
    await puppet.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await ask('settle');
    expect(await page.evaluate(`document.querySelector('#inspector').dataset.shown`)).toBe('light');
    await puppet.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
  });
});

test('nothing of it threw', () => expect(page.errors).toEqual([]));
