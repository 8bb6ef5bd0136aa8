// The memory of pages that are gone, in the browser's processes as they really are: a page with 64 MiB in a pool is
// loaded again and again, and the memory does not grow.

import { describe, expect, test } from 'vitest';
import { launchChromium, launchFirefox } from '../support/browsers.js';
import { casesOfRun, isLong } from '../support/lane.js';
import { servePages } from '../support/pages.js';
import { residentBytes } from '../support/resident.js';
import { ISOLATION } from '../support/serve.js';
import { until } from '../support/waiting.js';

const MiB = 1024 * 1024;
/** What the page does: a pool alone, and by TRIAL=1 each of its kinds, and a worker that waits or blocks. */
const isTrial = process.env.TRIAL === '1';
const FLAGS = isTrial ? ['typescript', 'slabs', 'busy', 'busy&blocking'] : [''];
const POOL_MIB = 64;
/** Loads before the memory is looked at, and behind them. */
const EARLY = isLong ? 5 : 3;
const LATE = isLong ? 10 : 6;
/** Growth that is taken for a leak: of each page that came later, a third is still there. */
const LEAK_MIB = (LATE * POOL_MIB) / 3;

const [chromium, firefox] = [
  ['Chromium', launchChromium],
  ['Firefox', launchFirefox],
] as const;
/** Firefox is the one that kept such memory before. */
const browsers = casesOfRun({ short: [firefox], long: isTrial ? [chromium, firefox] : [chromium] });

describe.each(browsers)('%s', (_, launch) => {
  test.each(FLAGS)('a page is loaded again: %s', async (flags) => {
    const server = await servePages(ISOLATION);
    const browser = await launch();
    try {
      const page = await browser.open(`${server.origin}/pages/reload.html?${flags}`);
      const used = () => Math.round(residentBytes(browser.pid) / MiB);
      const load = async (times: number) => {
        for (let i = 0; i < times; i++) {
          await page.reload();
          // The page is there before its script has come to its end: a worker attaches meanwhile.
          await until(async () => (await page.evaluate('globalThis.written')) !== undefined);
          expect(await page.evaluate('globalThis.written')).toBe(POOL_MIB);
        }
      };
      await load(EARLY);
      const early = used();
      await load(LATE);
      const late = used();
      // Collections take their time; what leaks never goes.
      await until(() => used() < early + LEAK_MIB);
      console.log(`${browser.name} ${flags}: ${early} MiB, ${late} MiB at once, ${used()} MiB afterwards`);
      expect(page.errors).toEqual([]);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
