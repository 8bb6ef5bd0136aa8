// The consumer: sums the bytes of every page that comes. The same file whatever memory the pages lie in.

import { parentPort, workerData } from 'node:worker_threads';
import { PagePool } from 'pagepool';

const pool = PagePool.attach(workerData);
const work = pool.channel('work');
let sum = 0;
while (work.waitSync()) {
  const fragment = work.receive();
  if (fragment === null) continue;
  for (const byte of fragment.bytes) sum += byte;
  fragment.release();
}
pool.detach();
parentPort?.postMessage(sum);
