// Churns until it is ended from outside, or told to end itself. It returns to its event loop, so that its lock is held;
// from then on an endless one does not, and is ended in the middle of something: Chromium lets a task that ends within
// two seconds end.

import { createChurn } from '../stress/churn.js';
import { PagePool } from './both.js';

let churn;

function start({ share, engine, seed, counts, isEndless }) {
  const pool = PagePool.attach({ ...share, engine }, { label: `mortal ${seed}` });
  churn = createChurn({
    pool,
    seed,
    counts,
    lend: (token, value) => self.postMessage({ token, value }),
    fail: (failure) => {
      self.postMessage({ failure });
      self.close();
    },
  });
  const { port1, port2 } = new MessageChannel();
  let isReady = false;
  port1.onmessage = () => {
    do churn.run();
    while (isEndless && isReady);
    port2.postMessage(0);
  };
  port2.postMessage(0);
  // Said behind the lock: locks are asked for in turn.
  navigator.locks.request('ready', () => {
    isReady = true;
    self.postMessage({ portId: pool.portId });
  });
}

self.onmessage = ({ data }) => {
  if (data.share !== undefined) start(data);
  else if (data.token !== undefined) churn?.adopt(data.token, data.value);
  else self.close();
};
