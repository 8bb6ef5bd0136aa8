// References that travel by postMessage: lent by the page, adopted and lent back by a worker.

import { PagePool } from './both.js';
import { endPool, refusalOf } from './ending.js';
import { Stamper } from './stamp.js';
import { startWorker } from './threads.js';

/** At most this many tokens are out at a time, of 256 that the pool has. */
const OUT_MAX = 100;

export async function tokens({ engine, seed, count }) {
  const pool = await PagePool.create({ engine, pageBytes: 1024, pageCount: 64, maxPorts: 2 });
  const stamper = new Stamper(pool, seed);
  const worker = startWorker('token-worker.js');
  worker.postMessage({ share: pool.share(), engine, seed, count });
  const total = { lent: 0, adopted: 0, torn: 0 };
  let spent;
  await new Promise((resolve, reject) => {
    worker.onerror = ({ message }) => reject(new Error(message));
    const lend = () => {
      while (total.lent < count && total.lent - total.adopted < OUT_MAX) {
        const fragment = pool.take(4 * (1 + (total.lent % 64)));
        if (fragment === null) return;
        const number = total.lent++;
        stamper.write(fragment.handle, fragment.length, number);
        worker.postMessage({ token: fragment.lend(), number });
      }
    };
    worker.onmessage = ({ data: { token, number } }) => {
      const fragment = pool.adopt(token);
      if (!stamper.isWhole(fragment.handle, fragment.length, count + number)) total.torn++;
      fragment.release();
      spent = token;
      if (++total.adopted === count) resolve();
      else lend();
    };
    lend();
  });
  const again = await refusalOf(() => pool.adopt(spent));
  const done = new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  worker.postMessage({ isEnd: true });
  const adopted = await done;
  worker.terminate();
  return { total, adopted, again, end: await endPool(pool) };
}
