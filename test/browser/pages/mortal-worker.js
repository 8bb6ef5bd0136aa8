// Takes, cuts, keeps, sends and releases until it is ended from outside. It returns to its event loop, so that its lock is held.

import { PagePool } from '../pagepool/index.js';

self.onmessage = ({ data }) => {
  const pool = PagePool.attach({ ...data.share, engine: data.engine });
  const kept = [];
  const churn = () => {
    for (let i = 0; i < 200; i++) {
      const handle = i % 3 === 0 ? pool.allocFragment(100) : pool.alloc();
      if (handle !== 0) kept.push(handle);
      if (kept.length > 8 || handle === 0) {
        const oldest = kept.shift();
        if (oldest === undefined) continue;
        if (i % 5 !== 0 || !pool.channel('work').send(oldest, 0, 1)) pool.release(oldest);
      }
      pool.channel('work').receive()?.release();
    }
    setTimeout(churn);
  };
  churn();
  // Said behind the lock: locks are asked for in turn.
  navigator.locks.request('ready', () => self.postMessage(pool.portId));
};
