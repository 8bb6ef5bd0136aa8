// A producer: packs log lines into pages and sends those; waits where the channel or the pool is full.

import { workerData } from 'node:worker_threads';
import { attach, type PoolShare } from 'pagepool/attach';
import { RecordWriter } from 'pagepool/packet';

const { share, producer, count } = workerData as { share: PoolShare; producer: number; count: number };
const pool = attach(share, { label: `producer ${producer}` });
const log = new RecordWriter(pool.channel('log'));

for (let i = 0; i < count; i++) {
  while (!log.write(`${producer} ${i} ${'.'.repeat(i % 100)}\n`)) await log.flush();
}
await log.flush();
pool.detach();
