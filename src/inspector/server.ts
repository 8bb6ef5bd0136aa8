// The inspector's HTTP server: the page, a stream of looks, one look as JSON, and metrics.
//
// Everything is bounded: clients, connections, the size and time of a request, and what waits for a client to read it.
// A client that does not read is dropped, and its browser comes back by itself. Nobody looks at the pool while nobody
// asks.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Guard } from './guard.js';
import type { Clients } from './open-metrics.js';
import type { Watcher } from './watcher.js';

/** A file of the page: gzipped. */
export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** What a server serves. */
export interface Served {
  readonly watcher: Pick<Watcher, 'lookAsJson' | 'mapBytes' | 'subscribe'>;
  readonly assets: Readonly<Record<string, Asset>>;
  readonly token: string;
  readonly metrics: (clients: Clients) => string;
}

/** Streams at one time. */
export const CLIENTS_MAX = 16;
const CONNECTIONS_MAX = 64;
/** What may wait for a client to read it, bytes, beside two maps. */
const BACKLOG_BYTES = 1 << 20;

/** The page loads what this server has, and its icon. */
const POLICY = [
  "default-src 'none'",
  ...['script-src', 'style-src', 'connect-src'].map((what) => `${what} 'self'`),
  'img-src data:',
  ...['base-uri', 'form-action', 'frame-ancestors'].map((what) => `${what} 'none'`),
];

const HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': POLICY.join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

const EVENTS = 'text/event-stream; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** The server of one inspector. */
export class InspectorServer {
  readonly #served: Served;
  readonly #guard: Guard;
  readonly #server: Server;
  readonly #clients = new Set<ServerResponse>();
  #dropped = 0;

  constructor(served: Served) {
    this.#served = served;
    this.#guard = new Guard(served.token);
    this.#server = createServer({ maxHeaderSize: 8192, requestTimeout: 10_000, headersTimeout: 10_000 });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response));
  }

  /** Listens; the port that it has then. Rejects with the platform's own error. */
  async listen(port: number, host: string): Promise<number> {
    const { promise, reject, resolve } = withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen({ port, host, exclusive: true }, resolve);
    await promise;
    this.#guard.port = (this.#server.address() as AddressInfo).port;
    return (this.#server.address() as AddressInfo).port;
  }

  /** Tells the pages that it ends, and closes every connection. */
  async close(): Promise<void> {
    const { promise, resolve } = withResolvers<void>();
    this.#server.close(() => resolve());
    for (const client of this.#clients) client.end('event: end\ndata: {}\n\n');
    this.#server.closeIdleConnections();
    // A client that does not read would keep its connection.
    const timer = setTimeout(() => this.#server.closeAllConnections(), 200);
    await promise;
    clearTimeout(timer);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const answer = this.#answerTo(request);
    if (answer === 'stream') this.#stream(response);
    else send(request, response, answer);
  }

  #answerTo(request: IncomingMessage): Answer | 'stream' {
    const url = parse(request.url);
    if (url === null) return textAnswer(400, 'the address cannot be read');
    const { isByAddress, reason, status } = this.#guard.judge(request, url);
    if (status !== 200) return textAnswer(status, reason);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return textAnswer(405, 'there is nothing to change here: GET', { Allow: 'GET, HEAD' });
    }
    const { assets, metrics, token, watcher } = this.#served;
    const asset = Object.hasOwn(assets, url.pathname) ? assets[url.pathname] : undefined;
    if (asset !== undefined) {
      const headers = isByAddress ? { 'Set-Cookie': this.#guard.cookie(token) } : undefined;
      return assetAnswer(request, asset, headers);
    }
    if (url.pathname === '/snapshot.json') {
      return { status: 200, type: 'application/json; charset=utf-8', body: `${watcher.lookAsJson()}\n` };
    }
    if (url.pathname === '/metrics') {
      const clients = { open: this.#clients.size, dropped: this.#dropped };
      return { status: 200, type: OPEN_METRICS, body: metrics(clients) };
    }
    if (url.pathname !== '/events') return textAnswer(404, 'there is /, /events, /snapshot.json and /metrics');
    if (request.method === 'HEAD') return { status: 200, type: EVENTS, body: '' };
    if (this.#clients.size < CLIENTS_MAX) return 'stream';
    return textAnswer(503, `${CLIENTS_MAX} clients look already; close one of them`, { 'Retry-After': '5' });
  }

  #stream(response: ServerResponse): void {
    const { watcher } = this.#served;
    const limit = BACKLOG_BYTES + 2 * watcher.mapBytes;
    response.writeHead(200, { 'Content-Type': EVENTS });
    response.write('retry: 1000\n\n');
    this.#clients.add(response);
    const stop = watcher.subscribe((json) => {
      response.write(`data: ${json}\n\n`);
      if (response.writableLength <= limit || response.destroyed) return;
      this.#dropped++;
      response.destroy();
    });
    response.on('error', () => {});
    response.once('close', () => {
      this.#clients.delete(response);
      stop();
    });
  }
}

/** What a request gets. */
interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

function textAnswer(status: number, text: string, headers?: Answer['headers']): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n`, headers };
}

function assetAnswer(request: IncomingMessage, { bytes, type }: Asset, headers: Answer['headers']): Answer {
  const takesGzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (!takesGzip) return { status: 200, type, body: gunzipSync(bytes), headers };
  return { status: 200, type, body: bytes, headers: { ...headers, 'Content-Encoding': 'gzip' } };
}

function send(request: IncomingMessage, response: ServerResponse, { body, headers, status, type }: Answer): void {
  // What a refused request still sends is not read.
  if (status !== 200) response.setHeader('Connection', 'close');
  response.writeHead(status, { ...headers, 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function parse(url = ''): URL | null {
  // In front of any address a name is put, so that `//host` is a path.
  return URL.canParse(`http://localhost${url}`) && url.startsWith('/') ? new URL(`http://localhost${url}`) : null;
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let [resolve, reject]: [(value: T) => void, (error: unknown) => void] = [() => {}, () => {}];
  const promise = new Promise<T>((onDone, onFailed) => {
    [resolve, reject] = [onDone, onFailed];
  });
  return { promise, resolve, reject };
}
