// Opens a folder as a site in Chromium and brings back what its page found; whatever it complains of is an error.
//
// The server sends the headers that isolate a page, and no charset: a site may be served like that, and a classic
// script is then not read as UTF-8. (test/support/serve.ts names the charset.)

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type { Browser } from '../../support/browsers.js';

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };

/** Serves the folder, opens its page at `path`, and resolves with what that left in `globalThis.result`. */
export async function openSite(browser: Browser, folder: string, path: string): Promise<unknown> {
  const { origin, missing, stop } = await serve(folder);
  try {
    const page = await browser.open(`${origin}${path}`);
    const result = await page.evaluate<{ error?: string } | null>('globalThis.result ?? null');
    const troubles = [...missing.map((file) => `${file} is missing`), ...page.errors, ...page.printed];
    if (result === null) troubles.push('the page left no result');
    if (result?.error !== undefined) troubles.push(result.error);
    await page.close();
    if (troubles.length > 0) throw new Error(`${path}: ${troubles.join('; ')}`);
    return result;
  } finally {
    await stop();
  }
}

async function serve(folder: string): Promise<{ origin: string; missing: string[]; stop(): Promise<void> }> {
  const missing: string[] = [];
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname));
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
    if (existsSync(file) && statSync(file).isFile()) return void createReadStream(file).pipe(response);
    // Browsers ask for an icon by themselves.
    if (path !== '/favicon.ico') missing.push(path);
    response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    missing,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
