// A producer: writes log lines into pages and sends them; waits where the channel or the pool is full.

import { workerData } from 'node:worker_threads';
import { PagePool, type PoolShare } from 'pagepool';

const { share, producer, count } = workerData as { share: PoolShare; producer: number; count: number };
const pool = PagePool.attach(share, { label: `producer ${producer}` });
const log = pool.channel('log');

for (let i = 0; i < count; i++) {
  const line = `${producer} ${i} ${'.'.repeat(i % 100)}\n`;
  const fragment = pool.take(line.length) ?? (await pool.takeAsync(line.length));
  // Node writes text straight into shared memory.
  Buffer.from(fragment.bytes.buffer, fragment.bytes.byteOffset, fragment.length).write(line, 'latin1');
  while (!log.sendFragment(fragment)) await log.waitRoom();
}
pool.detach();
