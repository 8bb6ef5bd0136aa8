// Frames of pages, in Chromium and Firefox: objects of another realm, and sandboxes.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox } from '../support/browsers.js';
import { casesOfRun } from '../support/lane.js';
import { BODY, HOME, play } from '../support/pages.js';
import { ISOLATION } from '../support/serve.js';

/** A frame of an opaque origin loads its modules from another origin. */
const SHARED = { ...ISOLATION, 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };

/** What a page does is a rule of the package: Chromium shows it. Firefox is asked by the long run. */
const BROWSERS = casesOfRun({
  short: [['Chromium', launchChromium] as const],
  long: [['Firefox', launchFirefox] as const],
});

describe.each(BROWSERS)('%s', (_, launch) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test('objects of a frame are taken where the platform takes them, and a frame attaches', async () => {
    expect(await play(browser, ISOLATION, 'realm', {})).toEqual({
      found: {
        frame: [false, true],
        sound: true,
        chunk: true,
        canvas: [4, 4],
        text: 'AB',
        body: BODY.length,
        stream: 3,
        words: 1,
        signal: 'AbortError',
        share: ['shared', 'wasm'],
      },
      end: HOME,
    });
  });

  test('a sandboxed frame is told that locks are refused, and hears of its workers all the same', async () => {
    const watched = { isIsolated: true, mode: 'shared', failures: [], held: 1, warnings: [], end: HOME };
    const free = { ...watched, locks: true, locksReason: '', sandbox: '', isTold: false };
    expect(await play(browser, SHARED, 'sandbox', {})).toEqual({
      none: free,
      opaque: {
        ...watched,
        locks: false,
        locksReason: 'they are refused: SecurityError',
        sandbox: 'this frame has an opaque origin: allow-same-origin',
        isTold: true,
      },
      'same origin': free,
    });
  });
});
