// How tests look at the pages of examples/: what a canvas shows, figures, errors in words, and pictures of the page.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page as Puppeteer } from 'puppeteer-core';
import { expect } from 'vitest';
import type { Page } from './browsers.js';
import { until } from './waiting.js';

const examples = new URL('../../examples/', import.meta.url);

/** The folders that examples/web-server.mjs serves, for a server of the test. */
export const galleryFolders: Readonly<Record<string, string>> = {
  '/pagepool/': fileURLToPath(new URL('../../build', import.meta.url)),
  '/': fileURLToPath(examples),
};

/** Starts examples/web-server.mjs, as a program, on a free port. */
export async function startGallery(): Promise<{ origin: string; line: string; stop(): Promise<void> }> {
  const program = fileURLToPath(new URL('web-server.mjs', examples));
  const server: ChildProcess = spawn(process.execPath, [program], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(server, 'close');
  const line = String(((await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer])[0]).trim();
  const origin = /http:\/\/[\d.:]+/.exec(line)?.[0] ?? '';
  return {
    line,
    origin,
    stop: async () => {
      server.kill();
      await ended;
    },
  };
}

/** What a canvas shows, in few and large pixels: red, green, blue, of each. */
export function pixelsOf(page: Page, selector: string): Promise<number[]> {
  return page.evaluate(`(() => {
    const small = new OffscreenCanvas(48, 27).getContext('2d');
    small.drawImage(document.querySelector(${JSON.stringify(selector)}), 0, 0, 48, 27);
    return [...small.getImageData(0, 0, 48, 27).data].filter((_, i) => i % 4 < 3);
  })()`);
}

/** How many of the large pixels differ by more than noise. */
export function differing(one: readonly number[], other: readonly number[]): number {
  let count = 0;
  for (let i = 0; i < one.length; i += 3) {
    const most = Math.max(...[0, 1, 2].map((k) => Math.abs((one[i + k] as number) - (other[i + k] as number))));
    if (most > 24) count++;
  }
  return count;
}

/** Waits until the canvas shows something, and then something else. */
export async function untilMoving(page: Page, selector: string): Promise<void> {
  let first: number[] = [];
  await until(
    async () => {
      first = await pixelsOf(page, selector);
      return differing(first, new Array(first.length).fill(first[0])) > 10;
    },
    () => `blank: ${selector}`,
  );
  await until(async () => differing(first, await pixelsOf(page, selector)) > 5);
}

/** The text of an element; empty where it is hidden. */
export const textOf = (page: Page, selector: string): Promise<string> =>
  page.evaluate(`(() => {
    const element = document.querySelector(${JSON.stringify(selector)});
    return element.checkVisibility() ? element.innerText : '';
  })()`);

/** The number that a figure of the page begins with. */
export const figureOf = async (page: Page, name: string): Promise<number> =>
  Number.parseFloat(await textOf(page, `[data-figure="${name}"]`));

/** Presses a button that can be pressed. A real click: browsers start sound for no other. */
export async function press(page: Page, selector: string): Promise<void> {
  await until(() => page.evaluate(`!document.querySelector(${JSON.stringify(selector)}).disabled`));
  await (page.puppet as Puppeteer).click(selector);
}

/** Moves a slider. */
export const slide = (page: Page, selector: string, value: number): Promise<void> =>
  page.evaluate(`(() => {
    const slider = document.querySelector(${JSON.stringify(selector)});
    slider.value = ${value};
    slider.dispatchEvent(new Event('input'));
  })()`);

/** Squares of the page map, by the names of their colours. */
export const squaresOf = (page: Page, shown: string): Promise<number> =>
  page.evaluate(`document.querySelectorAll('.map li[data-shown="${shown}"]').length`);

/** Stops the example, and returns what it says at its end; nothing went wrong until then. */
export async function stopExample(page: Page): Promise<string> {
  await press(page, '#stop');
  await until(
    async () => (await page.evaluate('document.documentElement.dataset.state')) === 'stopped',
    () => textOf(page, 'main'),
  );
  return textOf(page, '#end');
}

/** No error, neither in the page nor of it. */
export async function expectNoError(page: Page): Promise<void> {
  expect([await textOf(page, '#errors'), page.errors]).toEqual(['', []]);
}

/** The page fits this width, in this scheme. With a `name` and PICTURES=1 docs/pictures has a picture of it. */
export async function look(page: Page, width: number, scheme: 'light' | 'dark', name?: string): Promise<void> {
  const puppet = page.puppet as Puppeteer;
  await puppet.setViewport({ width, height: 800 });
  await puppet.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await until(() => page.evaluate(`innerWidth === ${width} && ${isDrawnAnew}`));
  expect(await page.evaluate('document.documentElement.scrollWidth'), `${name} at ${width}`).toBeLessThanOrEqual(width);
  if (name === undefined || process.env.PICTURES !== '1') return;
  // So that the plot has something to show.
  await until(() => page.evaluate(`document.querySelector('#plot').dataset.values >= 60`));
  const folder = fileURLToPath(new URL('../../docs/pictures', import.meta.url));
  const path = join(folder, `gallery-${name}.webp`) as `${string}.webp`;
  await puppet.screenshot({ path, type: 'webp', quality: 85, fullPage: true });
}

const isDrawnAnew = `[...document.querySelectorAll('#plot')].every(({ width, clientWidth }) => width === clientWidth)`;
