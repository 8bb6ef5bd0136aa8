// Uploads to hashing workers: the body of each HTTP request goes into pages, a worker hashes it, and the client gets
// the digest.
//
//   npm run build && node scripts/run-ts.mjs examples/http-upload/main.ts [PORT]   curl -T FILE http://localhost:PORT/
//
// An upload's fragments go to one worker in order; its tag is the upload's number. An empty fragment is its end. A
// client that goes away costs nothing: its pages come back, and nobody waits for its digest. A worker that dies costs
// its uploads an error, and another one goes on; SIGUSR2 kills one, to see that.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { type Channel, PagePool } from 'pagepool';
import { readStreamInto } from 'pagepool/node';

/** What a worker says of an upload. */
interface Digest {
  readonly upload: number;
  readonly sha256: string;
  readonly bytes: number;
}

const WORKERS = 2;
const UPLOAD_BYTES_MAX = 1024 ** 3;

/** An upload that a worker hashes. */
interface Upload {
  resolve(digest: Digest): void;
  reject(error: Error): void;
}

/** A worker, the channel that leads to it alone, and its uploads by their numbers. */
interface Lane {
  readonly channel: Channel;
  readonly uploads: Map<number, Upload>;
  worker: Worker;
}

const names = Array.from({ length: WORKERS }, (_, i) => `hash ${i}`);
const channels = Object.fromEntries(names.map((name) => [name, { capacity: 64 }]));
const pool = await PagePool.create({ name: 'uploads', pageBytes: 65_536, pageCount: 128, channels });
let isEnding = false;

function startWorker(channel: string): Worker {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: { share: pool.share(), channel } });
  pool.watch(worker); // if it dies, the pages that it held come back before 'exit' is heard below
  return worker;
}

/** Listens to a lane's worker. */
function listen(lane: Lane): void {
  lane.worker.on('message', (digest: Digest) => lane.uploads.get(digest.upload)?.resolve(digest));
  lane.worker.on('error', (error) => console.log(`a worker failed: ${error}`));
  lane.worker.on('exit', () => {
    if (isEnding) return;
    for (const { reject } of lane.uploads.values()) reject(new Error('the worker that hashed it has died'));
    // The next worker has not seen how these uploads began.
    for (let left = lane.channel.receive(); left !== null; left = lane.channel.receive()) left.release();
    lane.worker = startWorker(lane.channel.name);
    listen(lane);
  });
}

const lanes = names.map(
  (name): Lane => ({
    channel: pool.channel(name),
    uploads: new Map(),
    worker: startWorker(name),
  }),
);
lanes.forEach(listen);

let uploads = 0;

/** Reads one upload; the client waits while all pages are with the workers. */
async function receive(request: IncomingMessage): Promise<Digest> {
  const upload = ++uploads;
  const lane = lanes[upload % WORKERS] as Lane;
  const { channel } = lane;
  const lost = new AbortController();
  const digest = new Promise<Digest>((resolve, reject) => lane.uploads.set(upload, { resolve, reject }));
  digest.catch((error) => lost.abort(error)); // nothing more is read for a worker that has died
  try {
    await readStreamInto(
      pool,
      request,
      (fragment) => (channel.sendFragment(fragment, upload) ? undefined : channel.sendAsync(fragment, upload)),
      { maxBytes: UPLOAD_BYTES_MAX, signal: lost.signal },
    ).finally(() => sendEnd(channel, upload));
    return await digest;
  } finally {
    lane.uploads.delete(upload);
  }
}

/** The worker may finish, also an upload that failed: behind everything that was sent of it. */
async function sendEnd(channel: Channel, upload: number): Promise<void> {
  const fragment = await pool.takeAsync(1);
  const empty = fragment.slice(0, 0);
  fragment.release();
  try {
    await channel.sendAsync(empty, upload);
  } catch (error) {
    empty.release(); // the channel is closed: the server ends
    throw error;
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { sha256, bytes } = await receive(request);
    response.end(`${sha256} ${bytes}\n`);
  } catch (error) {
    console.log(`upload failed: ${(error as Error).message}`);
    const isTooLong = (error as { code?: unknown }).code === 'POOL_ERR_MEMORY_LIMIT';
    response.writeHead(isTooLong ? 413 : 500).end();
  }
}

const server = createServer((request, response) => void answer(request, response));
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`listening on http://localhost:${port}/   kill -USR2 ${process.pid} ends a worker`);
});

process.on('SIGUSR2', () => void lanes[0]?.worker.terminate());

// An end in order: no new uploads, workers to their channels' ends, and a count of every page.
await once(process, 'SIGTERM');
isEnding = true;
server.close();
server.closeAllConnections();
const exits = lanes.map(({ worker }) => once(worker, 'exit'));
for (const { channel } of lanes) channel.close();
await Promise.all(exits);
const { balanced, references } = pool.audit();
console.log(
  `${uploads} uploads; pages missing: ${references.ledgers}, audit ${balanced ? 'balanced' : 'NOT balanced'}`,
);
const { isDestroyed } = await pool.close({ timeoutMs: 60_000 });
process.exitCode = balanced && isDestroyed && references.ledgers === 0 ? 0 : 1;
