// User areas in real browsers: the page gives pages to workers that are not trusted, one of them hostile.
//
// Prints its seed; SEED=n replays the choices (not the scheduling).

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox } from '../support/browsers.js';
import { casesOfRun } from '../support/lane.js';
import { openStage, type Stage } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { ISOLATION } from '../support/serve.js';
import { type Outcome, requireUnharmed } from '../user/scene.js';

const ENTRIES = 100_000;
const TIMES = 50;
const seed = chooseSeed('browser user areas');

/** What a page does is a rule of the package: Chromium shows it. Firefox is asked by the long run. */
const BROWSERS = casesOfRun({
  short: [['Chromium', launchChromium] as const],
  long: [['Firefox', launchFirefox] as const],
});

describe.each(BROWSERS)('%s', (_, launch) => {
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

  test.each([
    ['wasm', false, false],
    ['wasm', true, true],
    ['typescript', false, true],
    ['typescript', true, false],
  ])(
    'engine %s, a hostile worker (area too: %s, ended where it stands: %s) harms nobody',
    async (engine, writesArea, isViolent) => {
      const options = { engine, seed, entries: ENTRIES, times: TIMES, writesArea, isViolent };
      const outcome = await stage.play<Outcome>('userArea', options);
      console.log(`${engine}, area ${writesArea}: ${JSON.stringify(outcome)}`);
      requireUnharmed(outcome);
      expect(outcome.entries).toBeGreaterThanOrEqual(ENTRIES);
    },
  );
});
