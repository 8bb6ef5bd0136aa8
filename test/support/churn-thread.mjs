// A thread that works on a pool at random until it is told to stop, and counts its turns: of the provider tests, in
// Node.

import { parentPort, workerData } from 'node:worker_threads';

const { entry, testing, share, seed, stop, engine, progress, index } = workerData;
const { PagePool } = await import(entry);
const { churn } = await import(testing);
const pool = PagePool.attach({ ...share, engine });
parentPort.postMessage({ ready: pool.portId });
const total = { taken: 0, empty: 0, sent: 0, received: 0, released: 0, torn: 0 };
for (let i = 0; Atomics.load(stop, 0) === 0; i++) {
  const report = churn(pool, { seed: seed + i * 7919, rounds: 400, hold: 24, channel: 'work' });
  for (const name of Object.keys(total)) total[name] += report[name];
  Atomics.add(progress, index, 1);
  // Returns to the event loop, as programs do: areas and closing are heard of there as well.
  if (i % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
}
pool.detach({ release: true });
parentPort.postMessage({ total });
