// The thread of deaths-main.js: takes three pages, says so when its lock is held, and goes on until it is ended.

import { parentPort, workerData } from 'node:worker_threads';
import { PagePool } from 'pagepool';

const pool = PagePool.attach(workerData);
for (let i = 0; i < 3; i++) pool.alloc();
// Its lock is asked for, where there are locks, as soon as it comes back to its event loop.
setTimeout(() => parentPort.postMessage(pool.portId), 50);
setInterval(() => {}, 1000);
