// Slabs that the page adds and drops while workers are attached: each worker sees their bytes, and works on them at
// random.

import { churn } from '../pagepool/testing.js';
import { HUNG_MS, until } from '../support/waiting.js';
import { PagePool, slabs } from './both.js';
import { endPool } from './ending.js';
import { startWorker } from './threads.js';

export async function slabGrowth({ engine, seed, threads, rounds }) {
  const provider = slabs({ slabBytes: 65536, keepBytes: 65536, idleMs: 600_000 });
  const channels = { work: { capacity: 16, batch: 2 } };
  const pool = await PagePool.create({ provider, engine, pageBytes: 4096, pageCount: 256, maxPorts: 8, channels });
  const workers = Array.from({ length: threads }, () => startWorker('churn-worker.js'));
  const messages = [];
  const done = workers.map(
    (worker, i) =>
      new Promise((resolve, reject) => {
        pool.watch(worker);
        worker.onmessage = ({ data }) => (data.total === undefined ? messages.push(data) : resolve(data.total));
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.postMessage({ share: pool.share(), engine, seed: seed + i, rounds });
      }),
  );
  // More than the first slab: every one of them has to reach the workers before its pages circulate.
  const held = [];
  while (held.length < 96) held.push(await pool.takeAsync(undefined, { timeoutMs: HUNG_MS }));
  const slabsAtMost = provider.describe().slabs;
  for (const fragment of held) fragment.release();
  const own = churn(pool, { seed, rounds: 500, hold: 8 });
  // One worker is ended at any moment, and reaped.
  const killed = startWorker('churn-worker.js');
  const words = new Int32Array(new SharedArrayBuffer(8));
  pool.watch(killed);
  await new Promise((resolve) => {
    killed.onmessage = ({ data }) => {
      messages.push(data);
      resolve();
    };
    killed.postMessage({ share: pool.share(), engine, seed: seed + 99, rounds: 1e9, words });
  });
  await until(() => Atomics.load(words, 1) >= 8);
  killed.terminate();
  const totals = await Promise.all(done);
  await until(() => pool.stats().ports.filter(({ isClaimed }) => isClaimed).length === 1);
  for (let left = pool.channel('work').receive(); left !== null; left = pool.channel('work').receive()) left.release();
  pool.trim();
  const slabsAtEnd = provider.describe().slabs;
  for (const worker of workers) worker.terminate();
  const foreign = messages.filter(({ ready }) => ready === undefined).length;
  return { slabsAtMost, slabsAtEnd, own, totals, foreign, end: await endPool(pool) };
}
