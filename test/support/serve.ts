// A small HTTP server for tests: folders and files in memory, on a free port of this machine, with the headers that a
// test asks for.
//
// The headers go out with every response, so that pages, workers and modules are all served under the same policy.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Headers = Readonly<Record<string, string>>;

/** The headers that make a page cross-origin isolated everywhere. */
export const ISOLATION: Headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** The header that isolates a page by itself, in Chromium. */
export const DOCUMENT_ISOLATION: Headers = { 'Document-Isolation-Policy': 'isolate-and-require-corp' };

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};

/** What a server serves. */
export interface Site {
  /** URL prefix, such as `/pagepool/`, to the folder whose files lie below it. */
  readonly folders?: Readonly<Record<string, string>>;
  /**
   * URL path to content, or to what makes it when it is asked for; they come before the folders. The path's extension
   * says the type.
   */
  readonly files?: Readonly<Record<string, string | Uint8Array | (() => Promise<string>)>>;
  /** Sent with every response, or what they are for a path. */
  readonly headers?: Headers | ((path: string) => Headers);
}

/** A server that runs. */
export interface Server {
  /** `http://127.0.0.1:port`: a secure context for browsers. */
  readonly origin: string;
  /** Paths that were asked for. */
  readonly requested: ReadonlySet<string>;
  /** Those that were not there. */
  readonly missing: readonly string[];
  close(): Promise<void>;
}

/** The package as it is built, as a folder of a site: `/pagepool/index.js` is its entry. */
export const builtPackage: Readonly<Record<string, string>> = {
  '/pagepool/': fileURLToPath(new URL('../../build', import.meta.url)),
};

/** Serves the site until `close`. */
export async function serve({ folders = {}, files = {}, headers = {} }: Site): Promise<Server> {
  const requested = new Set<string>();
  const missing: string[] = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname);
    requested.add(path);
    const sent = typeof headers === 'function' ? headers(path) : headers;
    response.setHeader('Cache-Control', 'no-store');
    for (const [name, value] of Object.entries(sent)) response.setHeader(name, value);
    response.setHeader('Content-Type', TYPES[extname(path)] ?? 'application/octet-stream');
    const content = files[path];
    if (content !== undefined) return void response.end(typeof content === 'function' ? await content() : content);
    const file = await fileOf(folders, path);
    if (file !== undefined) return void createReadStream(file).pipe(response);
    // Browsers ask for it by themselves.
    if (path === '/favicon.ico') return void response.writeHead(204).end();
    missing.push(path);
    notFound(response);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requested,
    missing,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Browsers keep connections open.
        server.closeAllConnections();
      }),
  };
}

/** The file below one of the folders that the path names, if there is one. */
async function fileOf(folders: Readonly<Record<string, string>>, path: string): Promise<string | undefined> {
  for (const [prefix, folder] of Object.entries(folders)) {
    if (!path.startsWith(prefix)) continue;
    const file = normalize(join(folder, path.slice(prefix.length)));
    if (!file.startsWith(normalize(folder + sep))) continue;
    const isFile = await stat(file).then(
      (found) => found.isFile(),
      () => false,
    );
    if (isFile) return file;
  }
  return undefined;
}

function notFound(response: ServerResponse): void {
  response.statusCode = 404;
  response.setHeader('Content-Type', TYPES['.txt'] as string);
  response.end('not found');
}
