// Two module workers hand stamped fragments to each other; the page makes the pool, and audits and closes it at the
// end.

import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { runWorker } from './threads.js';

/**
 * @param {{ engine: string, seed: number, quota: number, fault?: string }} options `quota`: fragments that each worker
 *   makes
 */
export async function handOff({ engine, seed, quota, fault = '' }) {
  const channel = { capacity: 256, batch: 32 };
  const channels = { to0: channel, to1: channel };
  const pool = await PagePool.create({ engine, pageBytes: 1024, pageCount: 4096, maxPorts: 3, channels });
  const workers = await Promise.all(
    [0, 1].map((index) => {
      const setup = { share: pool.share(), engine, index, seed, quota, fault: index === 0 ? fault : '' };
      return runWorker('hand-off-worker.js', setup);
    }),
  );
  const end = await endPool(pool, fault === 'leak' ? 300 : undefined);
  return { mode: pool.mode, engine: pool.engine, workers, end };
}
