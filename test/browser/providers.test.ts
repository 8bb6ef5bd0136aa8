// Slabs in real browsers: new ones reach workers that attached before, pages of them are churned, one worker is ended.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox } from '../support/browsers.js';
import { HOME, openStage, type Stage } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { ISOLATION } from '../support/serve.js';

const seed = chooseSeed('browser providers');

describe.each([
  ['Chromium', launchChromium],
  ['Firefox', launchFirefox],
] as const)('%s', (_, launch) => {
  let browser: Browser;
  let stage: Stage;
  beforeAll(async () => {
    browser = await launch();
    stage = await openStage(browser, ISOLATION);
  }, 90_000);
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
});
