// Attaches and waits, in its event loop or blocking.

import { PagePool } from './both.js';

self.onmessage = async ({ data: { share, isBlocking } }) => {
  const pool = PagePool.attach(share);
  self.postMessage('ready');
  const work = pool.channel('work');
  while (isBlocking ? work.waitSync() : await work.next()) work.receive()?.release();
};
