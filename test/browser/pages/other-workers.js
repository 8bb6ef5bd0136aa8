// Threads that are no dedicated worker of the page: a worker's own worker gets the pool, a SharedWorker does not.

import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { Stamper } from './stamp.js';
import { runWorker } from './threads.js';

export async function otherWorkers({ seed }) {
  const pool = await PagePool.create({ pageCount: 4, channels: { out: {}, back: {} } });
  const stamper = new Stamper(pool, seed);
  const fragment = pool.take();
  stamper.write(fragment.handle, fragment.length, 4);
  pool.channel('out').sendFragment(fragment, 4);
  pool.channel('out').close();
  const nested = await runWorker('nested-worker.js', { share: pool.share(), engine: 'auto', seed, rounds: 10 });
  const returned = await pool.channel('back').next();
  const isWhole = stamper.isWhole(returned.handle, returned.length, 14);
  returned.release();
  const shared = new SharedWorker(new URL('shared-worker.js', import.meta.url), { type: 'module' });
  const answered = new Promise((resolve) => {
    shared.port.onmessage = ({ data }) => resolve(data);
  });
  let posted = '';
  try {
    shared.port.postMessage(pool.share());
  } catch ({ name }) {
    posted = name;
  }
  return { nested, isWhole, sharedWorker: posted === '' ? await answered : posted, end: await endPool(pool) };
}
