// The site of the browser tests: their pages and the package as it is built, under the headers that a test asks for.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type Browser, launchWebKit } from './browsers.js';
import { program } from './program.js';
import { builtPackage, type Server, type Site, serve } from './serve.js';

const HTML = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>pagepool</title>
  <script type="module" src="/pages/page.js"></script>
</html>
`;

/** What the pages fetch: each byte follows from its place. */
export const BODY: Uint8Array = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Serves `/index.html`, which has the scenarios of test/browser/pages/ on `globalThis.tests`. */
export async function servePages(headers: Site['headers'] = {}): Promise<Server> {
  const made = (path: string) => () => program(new URL(path, import.meta.url));
  return serve({
    folders: { ...builtPackage, '/pages/': folder('../browser/pages') },
    files: {
      '/index.html': HTML,
      '/body': BODY,
      '/support/waiting.js': readFileSync(folder('./waiting.js')),
      '/stress/churn.js': made('../stress/churn.ts'),
      '/stress/quiet.js': made('../stress/quiet.ts'),
      '/user/scene.js': made('../user/scene.ts'),
      '/user/hostile.js': made('../user/hostile.ts'),
      '/user/honest.js': made('../user/honest.ts'),
      '/webgpu/suite.js': made('../webgpu/suite.ts'),
      '/webgpu/thread.js': made('../webgpu/thread.ts'),
    },
    headers,
  });
}

/** A page of test/browser/pages/ that is open. */
export interface Stage {
  /**
   * Plays one scenario.
   *
   * @param expected errors that the browser reports and that are no failure; any other is
   */
  play<T>(scenario: string, options: object, expected?: RegExp): Promise<T>;
  /** Whether this stage has asked for a file of test/browser/pages/. */
  hasRequested(file: string): boolean;
  close(): Promise<void>;
}

/** Opens the page, served with the headers. */
export async function openStage(browser: Browser, headers: Site['headers']): Promise<Stage> {
  const server = await servePages(headers);
  const page = await browser.open(`${server.origin}/index.html`).catch(async (error) => {
    await server.close();
    throw error;
  });
  return {
    play: async <T>(scenario: string, options: object, expected?: RegExp) => {
      const result = await page.evaluate<T>(`tests.${scenario}(${JSON.stringify(options)})`);
      expect(page.errors.filter((error) => expected?.test(error) !== true)).toEqual([]);
      expect(server.missing).toEqual([]);
      return result;
    },
    hasRequested: (file) => server.requested.has(`/pages/${file}`),
    close: async () => {
      await page.close();
      await server.close();
    },
  };
}

/** Plays one scenario on a page of its own. */
export async function play<T>(
  browser: Browser,
  headers: Site['headers'],
  scenario: string,
  options: object,
  expected?: RegExp,
): Promise<T> {
  const stage = await openStage(browser, headers);
  try {
    return await stage.play<T>(scenario, options, expected);
  } finally {
    await stage.close();
  }
}

/** Nothing was asked for in so long: it will not be. */
const NEVER_LOADED_MS = 30_000;

/**
 * Plays a scenario in which a worker starts one of its own, whose file is `file`: each time on a page of its own,
 * until the browser loads that file. In Firefox 153 some two of a hundred such workers are never loaded on a machine
 * that is busy: no request comes, no error, and nothing of ours has run in them. Once the file was asked for, what
 * comes counts.
 */
export async function playNested<T>(
  browser: Browser,
  headers: Site['headers'],
  scenario: string,
  options: object,
  file: string,
): Promise<T> {
  for (;;) {
    const stage = await openStage(browser, headers);
    try {
      const played = stage.play<T>(scenario, options);
      const isOver = played.then(
        () => true,
        () => true,
      );
      const isLoaded = async (): Promise<boolean> => {
        for (const end = Date.now() + NEVER_LOADED_MS; Date.now() < end; await sleep(50)) {
          if (stage.hasRequested(file)) return true;
        }
        return false;
      };
      if (await Promise.race([isOver, isLoaded()])) return await played;
      console.log(`${browser.version} has not loaded ${file}: another page`);
    } finally {
      await stage.close();
    }
  }
}

/** What a scenario finds at its end when every page and every reference came home. */
export const HOME = {
  balanced: true,
  exact: true,
  errors: [],
  pages: { used: 0, cached: 0, ring: 0, pinned: 0 },
  references: { ledgers: 0, channels: 0, tokens: 0, replies: 0 },
  inflight: 0,
  rejected: 0,
  closed: { isDestroyed: true, isTakenOver: false, inflight: 0, pinned: 0, holders: [] },
};

/** WebKitGTK with shared memory switched on in its JavaScript engine: as it is delivered, it shares none. */
export function launchSharingWebKit(): Promise<Browser> {
  return launchWebKit({ JSC_useSharedArrayBuffer: '1' });
}
