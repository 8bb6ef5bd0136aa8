// A server for one page that may share memory: files of one folder with the headers of cross-origin isolation, and the
// messages that the page posts.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const TYPES: Readonly<Record<string, string>> = { js: 'text/javascript', html: 'text/html' };
const PAGE = '<!doctype html><title>bench</title><script type="module" src="/page.js"></script>';

export interface PageServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  close(): void;
}

/** Serves `/` with the page, the files of the folder by their names, and gives posted messages to `heard`. */
export async function servePage(folder: string, heard: (message: unknown) => void): Promise<PageServer> {
  const server = createServer(async (request, response) => {
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    if (request.method === 'POST') {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      response.end();
      heard(JSON.parse(Buffer.concat(chunks).toString('utf8')));
      return;
    }
    const name = new URL(request.url ?? '/', 'http://page').pathname.slice(1);
    if (name === '') return void response.setHeader('Content-Type', 'text/html').end(PAGE);
    try {
      // Names of the bundle have no folders: nothing outside can be asked for.
      if (!/^[\w.-]+$/.test(name)) throw new Error('no such file');
      const bytes = await readFile(join(folder, name));
      response.setHeader('Content-Type', TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream').end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
