// Works on a pool at random for a number of rounds, or until the stop word says so, returning to its event loop between them.

import { PagePool } from '../pagepool/index.js';
import { churn } from '../pagepool/testing.js';

// Its page hears of errors alone.
self.addEventListener('unhandledrejection', ({ reason }) => {
  setTimeout(() => {
    throw reason;
  });
});

self.onmessage = async ({ data: { share, engine, seed, rounds, stop } }) => {
  const pool = PagePool.attach({ ...share, engine });
  // Said behind the lock that tells of this thread's death: locks are asked for in turn.
  await navigator.locks.request('ready', () => self.postMessage({ ready: pool.portId }));
  // Until the areas have arrived there is no page for this thread.
  const first = await pool.takeAsync(undefined, { timeoutMs: 20_000 });
  first.release();
  const total = { taken: 0, received: 0, torn: 0 };
  for (let i = 0; i < rounds && (stop === undefined || Atomics.load(stop, 0) === 0); i++) {
    const report = churn(pool, { seed: seed + i * 7919, rounds: 200, hold: 12, channel: 'work' });
    for (const name of Object.keys(total)) total[name] += report[name];
    await new Promise((resolve) => setTimeout(resolve));
  }
  pool.detach({ release: true });
  self.postMessage({ total });
};
