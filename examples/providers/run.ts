// The producer: the same for every provider. Which one a pool has is one line of its options.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool, type PoolOptions } from 'pagepool';

const PAGES = 500;
const PAGE_BYTES = 4096;

/** Sends pages to a worker, more than the pool has, and prints what came of it. */
export async function run(provider: NonNullable<PoolOptions['provider']>): Promise<void> {
  const pool = await PagePool.create({ provider, pageBytes: PAGE_BYTES, pageCount: 64, channels: { work: {} } });
  const worker = new Worker(new URL('./consumer-worker.js', import.meta.url), { workerData: pool.share() });
  pool.watch(worker);
  const counted = once(worker, 'message');
  const work = pool.channel('work');
  let expected = 0;
  for (let i = 0; i < PAGES; i++) {
    const page = await pool.takeAsync(undefined);
    page.bytes.fill(i & 0xff);
    expected += (i & 0xff) * PAGE_BYTES;
    await work.sendAsync(page);
  }
  work.close();
  const [sum] = (await counted) as [number];
  const { kind } = pool.stats().provider;
  const { isDestroyed } = await pool.close({ timeoutMs: 60_000 });
  console.log(
    `${kind}: ${PAGES} pages, sum ${sum === expected ? 'right' : 'wrong'}, ended ${isDestroyed ? 'well' : 'badly'}`,
  );
  if (sum !== expected || !isDestroyed) process.exitCode = 1;
}
