// Pages for the package tests: a folder served with the headers that isolate a page, and Debian's Chromium that opens them.

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import puppeteer from 'puppeteer-core';
import { chromium } from '../../../scripts/toolchain.mjs';

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };
// Nothing that reaches for the network.
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A browser that opens pages of folders. */
export interface TestBrowser {
  /** `Chromium 156.0.…`. */
  readonly version: string;
  /**
   * Serves the folder as a site, opens its page at `path`, and resolves with what that left in `globalThis.result`. Whatever
   * the page or its workers complain of, and whatever was not found, is an error.
   */
  open(folder: string, path: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Whether there is a browser. */
export const hasChromium = existsSync(chromium);

/** Starts a browser. */
export async function openBrowser(): Promise<TestBrowser> {
  const browser = await puppeteer.launch({ executablePath: chromium, args: FLAGS });
  const version = await browser.version();
  return {
    version: version.replace(/^\w+\//, 'Chromium '),
    open: async (folder, path) => {
      const { origin, stop } = await serve(folder);
      const page = await browser.newPage();
      const troubles: string[] = [];
      page.on('pageerror', (error) => troubles.push(String(error)));
      page.on('console', (message) => troubles.push(message.text()));
      page.on('response', (response) => {
        if (!response.ok()) troubles.push(`${response.status()} ${response.url()}`);
      });
      try {
        await page.goto(`${origin}${path}`, { waitUntil: 'load' });
        const result = (await page.evaluate('globalThis.result')) as { error?: string } | undefined;
        if (result === undefined) troubles.push('the page left no result');
        if (result?.error !== undefined) troubles.push(result.error);
        if (troubles.length > 0) throw new Error(`${path}: ${troubles.join('; ')}`);
        return result;
      } finally {
        await page.close();
        await stop();
      }
    },
    close: () => browser.close(),
  };
}

async function serve(folder: string): Promise<{ origin: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname));
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
    if (existsSync(file) && statSync(file).isFile()) createReadStream(file).pipe(response);
    // Browsers ask for an icon by themselves.
    else response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
