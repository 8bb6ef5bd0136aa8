// A worker that has missed an area when it attaches, and whose thread is reached late: what it asks for comes all the
// same.

import { PagePool, slabs } from './both.js';
import { endPool } from './ending.js';
import { ask, startWorker } from './threads.js';

export async function lateAreas({ engine }) {
  const provider = slabs({ slabBytes: 65536, keepBytes: 0, idleMs: 600_000 });
  const pool = await PagePool.create({ provider, engine, pageBytes: 4096, pageCount: 96, maxPorts: 4 });
  const results = {};
  for (const late of ['greeting', 'channel']) {
    const stale = pool.share();
    // More slabs than the share knows of.
    const held = [];
    while (held.length < 40) held.push(pool.take());
    const worker = startWorker('late-areas-worker.js');
    pool.watch(worker);
    results[late] = {
      isBehind: stale.areas.epoch !== pool.share().areas.epoch,
      ...(await ask(worker, { share: stale, late })),
    };
    worker.terminate();
    for (const page of held) page.release();
    pool.trim();
  }
  return { ...results, end: await endPool(pool) };
}
