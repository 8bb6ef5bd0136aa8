// Churns until it is ended from outside, or told to end itself. It returns to its event loop, so that its lock is held.

import { PagePool } from '../pagepool/index.js';
import { createChurn } from '../stress/churn.js';

let churn;

function start({ share, engine, seed, counts }) {
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
  port1.onmessage = () => {
    churn.run();
    port2.postMessage(0);
  };
  port2.postMessage(0);
  // Said behind the lock: locks are asked for in turn.
  navigator.locks.request('ready', () => self.postMessage({ portId: pool.portId }));
}

self.onmessage = ({ data }) => {
  if (data.share !== undefined) start(data);
  else if (data.token !== undefined) churn?.adopt(data.token, data.value);
  else self.close();
};
