// Workers that the page ends at random moments: each is reaped when its lock is given away, and nothing is missing at the end.

import { PagePool } from '../pagepool/index.js';
import { endPool } from './ending.js';
import { startWorker } from './threads.js';

const PATIENCE_MS = 10_000;

/** Comes back a task later, also where a page's timers are throttled. */
function breathe() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port2.onmessage = () => {
      port1.close();
      resolve();
    };
    port1.postMessage(0);
  });
}

async function later(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end) await breathe();
}

/** Waits for it to be so; throws when it never is. */
async function until(what, isSo) {
  for (const end = performance.now() + PATIENCE_MS; !isSo(); await breathe()) {
    if (performance.now() > end) throw new Error(`${what}; locks: ${JSON.stringify(await navigator.locks.query())}`);
  }
}

export async function deaths({ engine, seed, count }) {
  const pool = await PagePool.create({ engine, pageBytes: 1024, pageCount: 64, maxPorts: 4, channels: { work: {} } });
  let state = seed;
  let held = 0;
  for (let i = 0; i < count; i++) {
    const worker = startWorker('mortal-worker.js');
    pool.watch(worker);
    let portId;
    worker.onmessage = ({ data }) => {
      portId = data;
    };
    worker.postMessage({ share: pool.share(), engine });
    await until(`worker ${i} does not attach`, () => portId !== undefined);
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    await later((state >>> 16) % 16);
    held += pool.inflight;
    worker.terminate();
    await until(`port ${portId} of worker ${i} is not reaped`, () => !pool.stats().ports[portId].isClaimed);
  }
  while (pool.channel('work').pending > 0) pool.channel('work').receive()?.release();
  const { exact, errors } = pool.audit(); // settles what nobody could know
  return { held, exact, errors, end: await endPool(pool) };
}
