// A consumer that is not trusted, in a thread of node:worker_threads: what it was given, and that everything came home.

import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { UserQueue, userArea } from 'pagepool/user-area';

const COUNT = 500;
const pool = await PagePool.create({
  pageBytes: 1024,
  pageCount: 8,
  provider: userArea(new SharedArrayBuffer(8 * 1024)),
});
const queue = new UserQueue(pool, { completions: 4, refills: 2 });
const worker = new Worker(new URL('./user-area-worker.js', import.meta.url), { workerData: queue.share() });
const answer = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
let sum = 0;
for (let i = 1; i <= COUNT; ) {
  await queue.waitRoom({ ref: true, timeoutMs: 120_000 });
  const fragment = await pool.takeAsync(100, { ref: true, timeoutMs: 120_000 });
  fragment.bytes.fill(i);
  if (!queue.give(fragment.handle, 0, 100, i)) {
    fragment.release();
    continue;
  }
  sum += 100 * (i & 255) + i;
  i++;
}
queue.end();
const came = await answer;
const scrubbed = await queue.close({ ref: true, timeoutMs: 120_000 });
const { balanced } = pool.audit();
const { isDestroyed } = await pool.close({ ref: true, timeoutMs: 120_000 });
await worker.terminate();
console.log(JSON.stringify({ isRight: came === sum, scrubbed, balanced, isDestroyed }));
