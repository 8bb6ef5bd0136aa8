// The thread of deaths-main.js: takes three pages, says so when its lock is held, and goes on until it is ended. Or it
// says so, and blocks at once.

import * as threads from 'node:worker_threads';
import { PagePool } from 'pagepool';

const { parentPort, workerData } = threads;
const { share, isBlocked } = workerData;
const pool = PagePool.attach(share);
for (let i = 0; i < 3; i++) pool.alloc();
if (isBlocked) {
  parentPort.postMessage(pool.portId);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
setInterval(() => {}, 1000);
// Its lock is asked for, where there are locks, at the latest when it comes back to its event loop. In Deno only web
// workers have one.
const locks = 'Deno' in globalThis ? undefined : (threads.locks ?? globalThis.navigator?.locks);
const isHeld = async () => (await locks.query()).held.some(({ name }) => name.includes(` port ${pool.portId} `));
while (locks !== undefined && !(await isHeld())) await new Promise((resolve) => setTimeout(resolve, 1));
parentPort.postMessage(pool.portId);
