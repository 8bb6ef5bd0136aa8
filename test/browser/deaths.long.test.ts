// Workers of a page that end at random moments, with each engine: nothing is missing, torn or left behind.
//
// Random choices follow from the seed that is printed; SEED=n replays them (not the scheduling). DEATHS=n ends as many,
// in batches.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Browser, launchChromium } from '../support/browsers.js';
import { type Deaths, expectNothingLost, summaryOfDeaths } from '../support/deaths.js';
import { openStage, type Stage } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { ISOLATION } from '../support/serve.js';

/** As the page ends them before it looks what is left. */
const BATCH = 40;
const DEATHS = BATCH * Math.ceil(Number(process.env.DEATHS ?? 200) / BATCH);
const seed = chooseSeed('browser deaths');
let browser: Browser;
let stage: Stage;
beforeAll(async () => {
  browser = await launchChromium();
  stage = await openStage(browser, ISOLATION);
});
afterAll(async () => {
  await stage?.close();
  await browser?.close();
});

test.each(['wasm', 'typescript'])('Chromium, engine %s', async (engine) => {
  const result = await stage.play<Deaths>('deaths', { engine, seed, count: DEATHS });
  console.log(summaryOfDeaths(browser.version, engine, result));
  expectNothingLost(result, DEATHS);
  expect(result.batches.length).toBe(DEATHS / BATCH);
});
