// Threads of node:worker_threads that die with pages in their hands: watched by their exit, and where the runtime has
// locks, also one that nobody watched. Prints how each was reaped, and how many threads of Node waited for a lock.

import * as threads from 'node:worker_threads';
import { PagePool } from 'pagepool';

// Says "hung", and nothing else.
const PATIENCE_MS = 120_000;
const pool = await PagePool.create({ pageCount: 16, maxPorts: 4 });

let waiting = 0;

/** Starts a thread, ends it when it holds pages, and waits until its port is free. */
async function liveAndDie(isWatched, isBlocked = false) {
  const workerData = { share: pool.share(), isBlocked };
  const worker = new threads.Worker(new URL('./deaths-worker.js', import.meta.url), { workerData });
  if (isWatched) pool.watch(worker);
  const portId = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const held = pool.audit().references.ledgers;
  if (threads.locks !== undefined && !('Deno' in globalThis)) waiting += (await threads.locks.query()).pending.length;
  await worker.terminate();
  const isFree = () => !pool.stats().ports[portId].isClaimed;
  for (const end = Date.now() + PATIENCE_MS; !isFree() && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { held, isReaped: isFree(), heldAfter: pool.audit().references.ledgers };
}

const hasLocks = threads.locks !== undefined || globalThis.navigator?.locks !== undefined;
const watched = await liveAndDie(true);
// In Deno locks tell of web workers alone.
const unwatched = hasLocks && !('Deno' in globalThis) ? await liveAndDie(false) : null;
// A thread that never came back to its event loop since it attached.
const blocked = unwatched === null ? null : await liveAndDie(false, true);
const { isDestroyed } = await pool.close({ timeoutMs: PATIENCE_MS, ref: true });
console.log(JSON.stringify({ watched, unwatched, blocked, waiting, isDestroyed }));
