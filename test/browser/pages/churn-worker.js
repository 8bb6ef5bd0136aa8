// Works on a pool at random for a number of rounds, returning to its event loop between them.

import { PagePool } from '../pagepool/index.js';
import { churn } from '../pagepool/testing.js';

self.onmessage = async ({ data: { share, engine, seed, rounds } }) => {
  const pool = PagePool.attach({ ...share, engine });
  self.postMessage({ ready: pool.portId });
  const total = { taken: 0, received: 0, torn: 0 };
  for (let i = 0; i < rounds; i++) {
    const report = churn(pool, { seed: seed + i * 7919, rounds: 200, hold: 12, channel: 'work' });
    for (const name of Object.keys(total)) total[name] += report[name];
    await new Promise((resolve) => setTimeout(resolve));
  }
  pool.detach({ release: true });
  self.postMessage({ total });
};
