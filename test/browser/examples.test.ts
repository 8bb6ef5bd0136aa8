// The examples for browsers, served by their own server and opened in Chromium and Firefox: what they print.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox, untilPrinted } from '../support/browsers.js';
import { casesOfRun } from '../support/lane.js';

let origin: string;
let stopServer: () => Promise<unknown>;
beforeAll(async () => {
  const program = fileURLToPath(new URL('../../examples/web-server.mjs', import.meta.url));
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
  const server = spawn(process.execPath, [program], { env: { ...process.env, PORT: '0' }, stdio });
  const ended = once(server, 'close');
  stopServer = async () => server.kill() && (await ended);
  origin = String(((await once(server.stdout, 'data')) as [Buffer])[0]).trim();
});
afterAll(async () => {
  await stopServer?.();
});

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

  /** What the example's page prints. */
  async function show(name: string, lines: number): Promise<readonly string[]> {
    const page = await browser.open(`${origin}/${name}/`);
    await untilPrinted(page, lines);
    expect(page.errors).toEqual([]);
    await page.close();
    return page.printed;
  }

  test('decoded frames go to two slower workers, or are dropped, and each is accounted for', async () => {
    const [counts = '', right, end] = await show('web-frames', 3);
    const [frames, first, second, dropped, without] = (counts.match(/\d+/g) ?? []).map(Number) as number[];
    console.log(counts);
    expect(frames).toBe(90);
    expect((first ?? 0) + (second ?? 0) + (dropped ?? 0) + (without ?? 0)).toBe(90);
    // How many are dropped is a matter of the machine: the camera may be slower than the workers.
    expect((first ?? 0) + (second ?? 0)).toBeGreaterThan(0);
    expect([right, end]).toEqual(['in order and as bright as drawn: yes', 'audit balanced; pool closed']);
  });

  test('the blocks of an audio worklet reach a worker', async () => {
    const [counts = '', end] = await show('audio-worklet', 2);
    console.log(counts);
    const [recorded, lost, received, frequency] = (counts.match(/\d+/g) ?? []).map(Number) as number[];
    expect((recorded ?? 0) + (lost ?? 0)).toBe((2 * 48000) / 128);
    expect(received).toBe(recorded);
    if (lost === 0) expect(Math.abs((frequency ?? 0) - 440)).toBeLessThan(2);
    expect(counts).toContain('peak 1.00');
    expect(end).toBe('audit balanced; pool closed');
  });
});
