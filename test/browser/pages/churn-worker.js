// Works on a pool at random for a number of rounds, or until the first of the words says so, returning to its event
// loop between them; the second word counts the rounds.

import { churn } from '../pagepool/testing.js';
import { HUNG_MS } from '../support/waiting.js';
import { PagePool } from './both.js';

// Its page hears of errors alone.
self.addEventListener('unhandledrejection', ({ reason }) => {
  setTimeout(() => {
    throw reason;
  });
});

self.onmessage = async ({ data: { share, engine, seed, rounds, words } }) => {
  const pool = PagePool.attach({ ...share, engine });
  // Said behind the lock that tells of this thread's death: locks are asked for in turn.
  await navigator.locks.request('ready', () => self.postMessage({ ready: pool.portId }));
  // Until the areas have arrived there is no page for this thread.
  const first = await pool.takeAsync(undefined, { timeoutMs: HUNG_MS });
  first.release();
  const total = { taken: 0, received: 0, torn: 0 };
  for (let i = 0; i < rounds && (words === undefined || Atomics.load(words, 0) === 0); i++) {
    const report = churn(pool, { seed: seed + i * 7919, rounds: 200, hold: 12, channel: 'work' });
    for (const name of Object.keys(total)) total[name] += report[name];
    if (words !== undefined) Atomics.add(words, 1, 1);
    await new Promise((resolve) => setTimeout(resolve));
  }
  pool.detach({ release: true });
  self.postMessage({ total });
};
