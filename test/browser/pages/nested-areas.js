// Slabs that the page adds reach a worker that a worker started.

import { PagePool, slabs } from './both.js';
import { endPool } from './ending.js';
import { ask, startWorker } from './threads.js';

export async function nestedAreas({ engine, seed }) {
  const provider = slabs({ slabBytes: 65536, keepBytes: 0, idleMs: 600_000 });
  const channels = { work: { capacity: 16, batch: 2 } };
  const pool = await PagePool.create({ provider, engine, pageBytes: 4096, pageCount: 64, maxPorts: 4, channels });
  const worker = startWorker('nested-areas-worker.js');
  pool.watch(worker);
  const said = await ask(worker, { share: pool.share(), engine, seed, rounds: 20 });
  worker.terminate();
  for (let left = pool.channel('work').receive(); left !== null; left = pool.channel('work').receive()) left.release();
  return { ...said, end: await endPool(pool) };
}
