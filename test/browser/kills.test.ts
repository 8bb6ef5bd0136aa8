// Workers that are terminated where no lock tells of them: they block at once and for good, compute, or have just
// begun. All are reaped. And those that a browser ends in the middle of a call, and whose microtasks it runs then.
//
// Random choices follow from the seed that is printed; SEED=n replays them (not the scheduling).

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox } from '../support/browsers.js';
import { casesOfRun } from '../support/lane.js';
import { HOME, launchSharingWebKit, openStage, type Stage } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { ISOLATION } from '../support/serve.js';

/** A few of each, or by TRIAL=1 many. */
const isTrial = process.env.TRIAL === '1';
const seed = chooseSeed('browser kills');

interface Kills {
  readonly failures: readonly string[];
  readonly killed: number;
  /** Of each way of living, how long it took at most until the port was reaped. */
  readonly slowest: Readonly<Record<string, number>>;
  readonly attached: number;
  readonly end: object;
}

const [chromium, ...others] = [
  ['Chromium', launchChromium, 300],
  ['Firefox', launchFirefox, 300],
  ['WebKitGTK with shared memory switched on', launchSharingWebKit, 50],
] as const;
const browsers = casesOfRun({ short: [chromium], long: isTrial ? [chromium, ...others] : others });

describe.each(browsers)('%s', (_, launch, trialCount) => {
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
    ['wasm', isTrial ? trialCount : 8],
    ['typescript', isTrial ? 30 : 5],
  ] as const)('engine %s: %i workers that block, compute or have just begun are reaped', async (engine, count) => {
    const { slowest, ...found } = await stage.play<Kills>('kills', { engine, seed, count });
    console.log(`${browser.name}, ${engine}: reaped after ms at most ${JSON.stringify(slowest)}`);
    expect(found).toEqual({ failures: [], killed: count, attached: 1, end: HOME });
  });

  test.each([
    ['wasm', isTrial ? trialCount : 16],
    ['typescript', isTrial ? 30 : 5],
  ] as const)('engine %s: %i workers that are ended in a call, and run on, change nothing', async (engine, count) => {
    const { slowest, ...found } = await stage.play<Kills>('kills', { engine, seed, count, lives: ['rest'] });
    console.log(`${browser.name}, ${engine}: reaped after ms at most ${JSON.stringify(slowest)}`);
    expect(found).toEqual({ failures: [], killed: count, attached: 1, end: HOME });
  });
});
