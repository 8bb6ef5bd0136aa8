// Counts the lines of what it is handed.

import { parentPort, workerData } from 'node:worker_threads';
import { attach, type PoolShare } from 'pagepool/attach';

const pool = attach(workerData as PoolShare, { label: 'scan' });
const scan = pool.channel('scan');
const { indexOf } = Buffer.prototype; // the platform's own search takes shared memory
let bytes = 0;
let lines = 0;
while (scan.waitSync()) {
  const fragment = scan.receive();
  if (fragment === null) continue;
  for (let at = indexOf.call(fragment.bytes, 10); at !== -1; at = indexOf.call(fragment.bytes, 10, at + 1)) lines++;
  bytes += fragment.length;
  fragment.release();
}
pool.detach();
parentPort?.postMessage({ bytes, lines });
