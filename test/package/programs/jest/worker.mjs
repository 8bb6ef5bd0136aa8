// The worker: gives back in capitals what comes.

import { workerData } from 'node:worker_threads';
import { PagePool } from 'pagepool';

const pool = PagePool.attach(workerData);
const work = pool.channel('work');
while (work.waitSync()) {
  const fragment = work.receive();
  if (fragment === null) continue;
  for (let i = 0; i < fragment.length; i++) fragment.bytes[i] -= 32;
  pool.channel('done').sendFragment(fragment);
}
pool.detach();
