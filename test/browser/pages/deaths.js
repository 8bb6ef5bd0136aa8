// Workers that the page ends at random moments: each is reaped when its lock is given away, and nothing is missing at the end.

import { PagePool } from '../pagepool/index.js';
import { endPool } from './ending.js';
import { startWorker } from './threads.js';

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for it to be so, at most ten seconds. */
async function until(isSo) {
  for (let i = 0; i < 2000 && !isSo(); i++) await later(5);
  return isSo();
}

export async function deaths({ engine, seed, count }) {
  const pool = await PagePool.create({ engine, pageBytes: 1024, pageCount: 64, maxPorts: 4, channels: { work: {} } });
  const isClaimed = (portId) => pool.stats().ports[portId].isClaimed;
  let state = seed;
  let reaped = 0;
  let held = 0;
  for (let i = 0; i < count; i++) {
    const worker = startWorker('mortal-worker.js');
    pool.watch(worker);
    const portId = await new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage({ share: pool.share(), engine });
    });
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    await later(state % 16);
    held += pool.inflight;
    worker.terminate();
    if (await until(() => !isClaimed(portId))) reaped++;
  }
  while (pool.channel('work').pending > 0) pool.channel('work').receive()?.release();
  const { exact, errors } = pool.audit(); // settles what nobody could know
  return { reaped, held, exact, errors, end: await endPool(pool) };
}
