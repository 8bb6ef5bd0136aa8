// Providers in real browsers: each passes the suite, and stands four workers that churn and are killed; slabs that are
// added reach workers that attached before.
//
// SEED=n replays the choices (not the scheduling). LONG=1 has many more kills, in both engines each and in Firefox too.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox } from '../support/browsers.js';
import { HOME, openStage, playNested, type Stage } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { ISOLATION } from '../support/serve.js';

const isLong = process.env.LONG === '1';
const KILLS = isLong ? 20 : 3;
/** The providers, each with the engines that a short run takes; a long one takes both. */
const CHURNS: readonly (readonly [provider: string, reserve: string | undefined, engines: readonly string[]])[] = [
  ['wasm-memory', undefined, ['wasm']],
  ['slab', undefined, ['typescript']],
  ['user-area', undefined, []],
  ['wasm-memory', 'slab', []],
  ['slab', 'user-area', ['wasm']],
];
const seed = chooseSeed('browser providers');

const BROWSERS = [
  ['Chromium', launchChromium],
  ['Firefox', launchFirefox],
] as const;

// The long run asks both.
describe.each(isLong ? BROWSERS : BROWSERS.slice(0, 1))('%s', (_, launch) => {
  let browser: Browser;
  let stage: Stage;
  beforeAll(async () => {
    browser = await launch();
    stage = await openStage(browser, ISOLATION);
  });
  afterAll(async () => {
    await stage?.close();
    await browser?.close();
  });

  test.each(['wasm', 'typescript'])('slabs that the page adds reach its workers, engine %s', async (engine) => {
    const result = await stage.play<{ slabsAtMost: number; totals: { taken: number; torn: number }[] }>('slabGrowth', {
      engine,
      seed,
      threads: 4,
      rounds: 150,
    });
    console.log(JSON.stringify(result.totals), result.slabsAtMost);
    expect(result.slabsAtMost).toBeGreaterThan(5);
    for (const { taken, torn } of result.totals) {
      expect(torn).toBe(0);
      expect(taken).toBeGreaterThan(100);
    }
    expect(result).toMatchObject({ slabsAtEnd: 1, own: { torn: 0 }, foreign: 0, end: HOME });
  });

  test('a worker that missed an area gets it, however late its own ways in come into being', async () => {
    const reached = { isBehind: true, code: 'none' };
    expect(await stage.play('lateAreas', { engine: 'wasm' })).toEqual({
      greeting: reached,
      channel: reached,
      end: HOME,
    });
  });

  test('slabs that the page adds reach a worker that a worker started', async () => {
    const options = { engine: 'wasm', seed };
    const result = await playNested<{ total: { taken: number } }>(
      browser,
      ISOLATION,
      'nestedAreas',
      options,
      'churn-worker.js',
    );
    expect(result).toMatchObject({ total: { torn: 0 }, end: HOME });
    expect(result.total.taken).toBeGreaterThan(100);
  });

  test.each(['wasm-memory', 'slab', 'user-area'])('%s passes the suite of providers', async (provider) => {
    expect(await stage.play('providerConformance', { provider, seed })).toBe('passed');
  });

  const churns = CHURNS.flatMap(([provider, reserve, engines]) =>
    (isLong ? ['wasm', 'typescript'] : engines).map((engine) => ({ provider, reserve, engine })),
  );
  test.each(churns)(
    '$provider with a reserve of $reserve, engine $engine: nothing is torn or lost under churn and kills',
    async (options) => {
      const result = await stage.play<{ areas: number; total: { taken: number; torn: number } }>('providerChurn', {
        ...options,
        seed,
        kills: KILLS,
      });
      console.log(`${JSON.stringify(options)}: ${JSON.stringify(result.total)}, ${result.areas} areas`);
      expect(result).toMatchObject({ failures: [], failure: null, total: { torn: 0 }, end: HOME });
      expect(result.total.taken).toBeGreaterThan(100);
    },
  );
});
