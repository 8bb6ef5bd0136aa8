// Pages that are left and come back from the history, with waits and a call outstanding.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox } from '../support/browsers.js';
import { casesOfRun } from '../support/lane.js';
import { HOME, servePages } from '../support/pages.js';
import { ISOLATION } from '../support/serve.js';
import { until } from '../support/waiting.js';

/** What a page does is a rule of the package: Chromium shows it. Firefox is asked by the long run. */
const BROWSERS = casesOfRun({
  short: [['Chromium', launchChromium] as const],
  long: [['Firefox', launchFirefox] as const],
});

describe.each(BROWSERS)('%s', (name, launch) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test.each([
    ['', true],
    ['watch', name === 'Chromium'], // Firefox keeps no page that holds a lock
  ])('a page comes back: %s; it was kept: %s', async (flags, isKept) => {
    const server = await servePages({ ...ISOLATION, 'Cache-Control': 'no-cache' });
    try {
      const page = await browser.open(`${server.origin}/pages/history.html?${flags}`);
      await until(() => page.evaluate('globalThis.isReady === true'));
      await page.leaveTo(`${server.origin}/pages/realm.html`);
      await page.goBack();
      // While it goes there is no page to ask.
      await until(() => page.evaluate('globalThis.isReady === true').catch(() => false));
      expect(await page.evaluate('finish()')).toEqual({ isKept, got: [7, 9], end: HOME });
      expect(page.errors).toEqual([]);
      await page.close();
    } finally {
      await server.close();
    }
  });
});
