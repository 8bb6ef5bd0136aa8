// Uploads to hashing workers: the body of each HTTP request goes into pages, a worker hashes it, and the client gets
// the digest.
//
//   npm run build && node scripts/run-ts.mjs examples/http-upload/main.ts [PORT]   curl -T FILE http://localhost:PORT/
//
// An upload's fragments go to one worker in order; its tag is the upload's number. An empty fragment is its end. A
// client that goes away costs nothing: its pages come back, and nobody waits for its digest.

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

const channels = Object.fromEntries(Array.from({ length: WORKERS }, (_, i) => [`hash ${i}`, { capacity: 64 }]));
const pool = await PagePool.create({ name: 'uploads', pageBytes: 65_536, pageCount: 128, channels });
const waiting = new Map<number, (digest: Digest) => void>();
const workers = Array.from({ length: WORKERS }, (_, i) => {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: { share: pool.share(), channel: `hash ${i}` },
  });
  pool.watch(worker);
  worker.on('message', (digest: Digest) => {
    waiting.get(digest.upload)?.(digest);
    waiting.delete(digest.upload);
  });
  return worker;
});

let uploads = 0;

/** Reads one upload; the client waits while all pages are with the workers. */
async function receive(request: IncomingMessage): Promise<Digest> {
  const upload = ++uploads;
  const channel = pool.channel(`hash ${upload % WORKERS}`);
  const digest = new Promise<Digest>((resolve) => waiting.set(upload, resolve));
  try {
    await readStreamInto(
      pool,
      request,
      (fragment) => (channel.sendFragment(fragment, upload) ? undefined : channel.sendAsync(fragment, upload)),
      { maxBytes: UPLOAD_BYTES_MAX },
    );
  } catch (error) {
    waiting.delete(upload);
    throw error;
  } finally {
    await sendEnd(channel, upload);
  }
  return digest;
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
  console.log(`listening on http://localhost:${(server.address() as AddressInfo).port}/`);
});

// An end in order: no new uploads, workers to their channels' ends, and a count of every page.
await once(process, 'SIGTERM');
server.close();
server.closeAllConnections();
for (let i = 0; i < WORKERS; i++) pool.channel(`hash ${i}`).close();
await Promise.all(workers.map((worker) => once(worker, 'exit')));
const { balanced, references } = pool.audit();
console.log(
  `${uploads} uploads; pages missing: ${references.ledgers}, audit ${balanced ? 'balanced' : 'NOT balanced'}`,
);
const { isDestroyed } = await pool.close({ timeoutMs: 60_000 });
process.exitCode = balanced && isDestroyed && references.ledgers === 0 ? 0 : 1;
