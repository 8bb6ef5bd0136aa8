// An HTTP server whose requests are answered by workers: the body of each POST goes into a page, a worker compresses
// it, and the client gets what came out.
//
//   npm run build && node scripts/run-ts.mjs examples/requests/main.ts [PORT]
//   curl --data-binary @FILE http://localhost:PORT/ --compressed       curl http://localhost:PORT/stats
//
// There are fewer pages than connections: a request waits for its turn, and holds nothing meanwhile. A client that goes
// away gives its call up. A worker that dies costs its calls an error, after which they are asked once more; SIGUSR2
// kills one, to see that.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { type CallRoom, PagePool, PagePoolError } from 'pagepool';

const WORKERS = 2;
const BODY_BYTES_MAX = 65_536;
const PAGES = 8;

const pool = await PagePool.create({
  name: 'requests',
  pageBytes: BODY_BYTES_MAX,
  pageCount: PAGES,
  calls: { compress: {} },
});
const compress = pool.calls('compress');
/** The workers, and when each has ended. */
const workers = new Map<Worker, Promise<unknown>>();
let isEnding = false;

function startWorker(): void {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: pool.share() });
  pool.watch(worker);
  worker.on('error', (error) => {
    // One that starts when the pool ends finds no pool.
    if (!isEnding) console.log(`a worker failed: ${error}`);
  });
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      workers.delete(worker);
      if (!isEnding) startWorker();
      resolve();
    });
  });
  workers.set(worker, ended);
}
for (let i = 0; i < WORKERS; i++) startWorker();

const answered = { ok: 0, refused: 0, left: 0, again: 0 };

/** Reads a body of a known length; the client waits until there is a page for it. */
async function readBody(request: IncomingMessage, bytes: number, signal: AbortSignal): Promise<CallRoom> {
  const room = await compress.take(bytes, BODY_BYTES_MAX, { signal });
  try {
    let at = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      room.request.bytes.set(chunk, at);
      at += chunk.length;
    }
    return room;
  } catch (error) {
    room.release();
    throw error;
  }
}

/** The answer of a worker; of another one, if that one dies. */
async function compressed(room: CallRoom, signal: AbortSignal): Promise<Buffer> {
  const body = Buffer.from(room.request.bytes); // to ask once more: the request goes along
  for (let isLast = false; ; isLast = true) {
    try {
      const reply = await room.send({ signal });
      const result = Buffer.from(reply.bytes);
      reply.release();
      return result;
    } catch (error) {
      if (isLast || !(error instanceof PagePoolError) || error.code !== 'POOL_ERR_PEER_GONE') throw error;
      console.log('a worker died; asked again');
      answered.again++;
      room = await compress.take(body.length, BODY_BYTES_MAX, { signal });
      room.request.bytes.set(body);
    }
  }
}

function refuse(response: ServerResponse, status: number): void {
  answered.refused++;
  // The rest of the body is not read.
  response.writeHead(status, { connection: 'close' }).end();
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/stats') {
    response.end(JSON.stringify({ ...answered, pages: pool.stats().pages, calls: pool.stats().calls }));
    return;
  }
  if (request.method !== 'POST') return refuse(response, 405);
  const length = request.headers['content-length'];
  if (length === undefined) return refuse(response, 411);
  if (Number(length) > BODY_BYTES_MAX) return refuse(response, 413);
  if (Number(length) === 0) return refuse(response, 400);
  const aborter = new AbortController();
  response.on('close', () => aborter.abort());
  try {
    const room = await readBody(request, Number(length), aborter.signal);
    const body = await compressed(room, aborter.signal);
    response.writeHead(200, { 'content-encoding': 'br', 'content-length': body.length }).end(body);
    answered.ok++;
  } catch (error) {
    if (aborter.signal.aborted) {
      answered.left++;
      return;
    }
    console.log(`request failed: ${(error as Error).message}`);
    refuse(response, error instanceof PagePoolError && error.code === 'POOL_ERR_CALL_FAILED' ? 422 : 503);
  }
}

const server = createServer((request, response) => void answer(request, response));
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  console.log(`listening on http://localhost:${(server.address() as AddressInfo).port}/`);
  console.log(`kill -USR2 ${process.pid} ends a worker`);
});
process.on('SIGUSR2', () => void [...workers.keys()][0]?.terminate());

// An end in order: no new requests, those under way to their end, and a count of every page.
await once(process, 'SIGTERM');
isEnding = true;
const closed = once(server, 'close');
server.close();
server.closeIdleConnections();
await closed;
const closing = pool.close({ timeoutMs: 60_000 });
await Promise.all(workers.values());
const { isDestroyed, inflight } = await closing;
console.log(`${JSON.stringify(answered)}; pages missing: ${inflight}`);
process.exitCode = isDestroyed ? 0 : 1;
