// Threads of isolated pages in real browsers: pages handed on by channel, by token and to an audio worklet, checked
// byte by byte.
//
// Random choices follow from the seed that is printed; SEED=n replays them (not the scheduling). LONG=1 hands on a
// million fragments in each row.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox } from '../support/browsers.js';
import { type Deaths, expectNothingLost, summaryOfDeaths } from '../support/deaths.js';
import { isLong } from '../support/lane.js';
import { HOME, launchSharingWebKit, openStage, playNested, type Stage } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { ISOLATION } from '../support/serve.js';

/** Fragments that each of two workers makes; every eighth is handed on twice. */
const QUOTA = isLong ? 450_000 : 24_000;
const HAND_OFFS = isLong ? 1_000_000 : 50_000;
const seed = chooseSeed('browser threads');

interface HandOff {
  readonly mode: string;
  readonly engine: string;
  readonly workers: readonly Record<string, number | string>[];
  readonly end: object;
}

const EVERY_BROWSER = [
  ['Chromium', launchChromium],
  ['Firefox', launchFirefox],
  ['WebKitGTK with shared memory switched on', launchSharingWebKit],
] as const;

// The long run asks the others, too; the last one does not share memory as it is delivered.
describe.each(isLong ? EVERY_BROWSER : EVERY_BROWSER.slice(0, 1))('%s', (_, launch) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
    console.log(browser.version);
  });
  afterAll(() => browser?.close());

  describe('on one page', () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await openStage(browser, ISOLATION);
    });
    afterAll(() => stage?.close());

    describe.each(['wasm', 'typescript'])('engine %s', (engine) => {
      test(`${HAND_OFFS} hand-offs between two workers: none torn, lost or there twice`, async () => {
        const result = await stage.play<HandOff>('handOff', { engine, seed, quota: QUOTA });
        const received = QUOTA + QUOTA / 8;
        expect(2 * received).toBeGreaterThan(HAND_OFFS);
        const worker = {
          originated: QUOTA,
          received,
          onward: QUOTA / 8,
          released: QUOTA,
          torn: 0,
          twice: 0,
          missing: 0,
        };
        expect(result).toMatchObject({ mode: 'shared', engine, end: HOME });
        expect(result.workers).toMatchObject(Array(2).fill({ ...worker, engine, failure: '' }));
        // Both ways of sending were used; how often each was depends on how full the channels were.
        for (const { bursts, singles } of result.workers)
          expect(Math.min(Number(bursts), Number(singles))).toBeGreaterThan(50);
      });

      test('the main thread waits by promises for pages and for fragments, and is refused to block', async () => {
        const rounds = 2000;
        const result = await stage.play<{ waits: number; echoed: { returned: number } }>('mainThread', {
          engine,
          seed,
          rounds,
        });
        const { returned } = result.echoed;
        expect(returned).toBeGreaterThan(0);
        expect(result.waits).toBeGreaterThan(0);
        expect(result).toMatchObject({
          total: { sent: rounds, came: returned, torn: 0 },
          echoed: { engine, received: rounds, torn: 0 },
          aborted: 'TimeoutError',
          timeout: { code: 'POOL_ERR_TIMEOUT' },
          blocking: { code: 'POOL_ERR_INVALID_ARGUMENT' },
          timersOfNext: 0,
          end: HOME,
        });
        expect((result as unknown as { blocking: Error }).blocking.message).toContain('use next() or receive() here');
      });

      test('an object that no other thread can use is not posted: the error says what to post', async () => {
        const result = await stage.play<{ errors: Record<string, string>; end: object }>('posting', { engine });
        expect(result).toMatchObject({
          errors: {
            fragment: expect.stringMatching(/^DataCloneError: postMessage failed: value=Fragment .*lend\(\)/),
            packet: expect.stringMatching(/^DataCloneError: postMessage failed: value=Packet .*lend\(\)/),
            pool: expect.stringMatching(/^DataCloneError: postMessage failed: value=PagePool .*share\(\)/),
            channel: expect.stringMatching(/^DataCloneError: postMessage failed: value=Channel .*share\(\)/),
          },
          end: HOME,
        });
      });

      test('a wait that nobody answers warns on the console', async () => {
        expect(await stage.play('stalls', { engine })).toMatchObject({
          text: expect.stringMatching(/^PAGEPOOL_STALL: pool "pool" stands still: takeAsync .* holds 1 page \(1\)/),
          end: HOME,
        });
      });

      test('references travel by postMessage, each good for one adoption', async () => {
        const count = 2000;
        expect(await stage.play('tokens', { engine, seed, count })).toMatchObject({
          total: { lent: count, adopted: count, torn: 0 },
          adopted: { adopted: count, torn: 0 },
          again: { code: 'POOL_ERR_TOKEN_SPENT' },
          end: HOME,
        });
      });

      test('a channel that drops the oldest keeps the newest frames, in order, and loses no page', async () => {
        const count = 2000;
        const result = await stage.play<{ total: { came: number }; dropped: number }>('frames', {
          engine,
          seed,
          count,
        });
        expect(result).toMatchObject({
          sent: 2 * count,
          droppedAtHalf: count - 4,
          pendingAtHalf: 4,
          total: { torn: 0, unordered: 0, last: 2 * count - 1 },
          end: HOME,
        });
        expect(result.total.came + result.dropped).toBe(2 * count);
      });

      test('memory that the page has grown is seen by a worker that attached before', async () => {
        const result = await stage.play<{ grownBytes: number }>('growth', { engine, seed, pageCount: 64 });
        expect(result).toMatchObject({
          isFirstWhole: true,
          isLastWhole: true,
          taken: 63,
          echoed: { engine, received: 2, returned: 2, torn: 0 },
          end: HOME,
        });
        expect(result.grownBytes).toBeGreaterThan(1_000_000);
      });

      test('workers that end at any moment are reaped by their locks, and nothing is missing', async () => {
        const count = isLong ? 20 : 8;
        const result = await stage.play<Deaths>('deaths', { engine, seed, count });
        console.log(summaryOfDeaths(browser.name, engine, result));
        expectNothingLost(result, count);
      });

      test('an audio worklet attaches through processorOptions, receives and sends', async () => {
        const blocks = 500;
        expect(await stage.play('worklet', { engine, seed, blocks })).toMatchObject({
          total: { came: blocks, torn: 0 },
          processor: { engine, received: blocks, sent: blocks, torn: 0 },
          end: HOME,
        });
      });
    });

    // Faults that the worker commits on purpose: the checks above would see them.
    test('one wrong byte is seen by the thread that receives it', async () => {
      const options = { engine: 'wasm', seed, quota: 8000, fault: 'corrupt' };
      const { workers, end } = await stage.play<HandOff>('handOff', options);
      expect(workers).toMatchObject([{ torn: 0 }, { torn: 1 }]);
      expect(end).toEqual(HOME);
    });

    test('one release that is left out is seen by the worker, the audit and the close', async () => {
      const options = { engine: 'wasm', seed, quota: 8000, fault: 'leak' };
      const { workers, end } = await stage.play<HandOff>('handOff', options);
      expect(workers).toMatchObject([
        { released: 7999, failure: expect.stringContaining('references held=1') },
        { failure: '' },
      ]);
      expect(end).toMatchObject({
        pages: { used: 1 },
        references: { ledgers: 1 },
        inflight: 1,
        closed: { isDestroyed: false, inflight: 1 },
      });
    });
  });

  test("a worker's own worker attaches; a SharedWorker cannot be given the share", async () => {
    const played = await playNested(browser, ISOLATION, 'otherWorkers', { seed }, 'echo-worker.js');
    expect(played).toMatchObject({
      nested: { received: 1, returned: 1, torn: 0 },
      isWhole: true,
      sharedWorker: 'messageerror',
      end: HOME,
    });
  });
});
