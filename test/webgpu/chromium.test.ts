// The device suite in Chromium, on SwiftShader, in a cross-origin isolated page.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, launchChromium, SWIFTSHADER } from '../support/browsers.js';
import { openStage, type Stage } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { ISOLATION } from '../support/serve.js';
import { suite } from './suite.js';

const seed = chooseSeed('webgpu in Chromium');

describe('WebGPU in Chromium', () => {
  let browser: Browser;
  let stage: Stage;
  beforeAll(async () => {
    browser = await launchChromium(SWIFTSHADER);
    stage = await openStage(browser, ISOLATION);
  });
  afterAll(async () => {
    await stage?.close();
    await browser?.close();
  });

  it.each(suite.map(([name]) => name))('%s', async (name) => {
    expect(await stage.play('device', { name, seed })).toBe('passed');
  });
});
