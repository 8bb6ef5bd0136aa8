// Memory that one thread has grown, seen by another that attached before.

import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { Stamper } from './stamp.js';
import { ask, startWorker } from './threads.js';

export async function growth({ engine, seed, pageCount }) {
  const channels = { out: { capacity: 1, batch: 1 }, back: { capacity: 1, batch: 1 } };
  const pool = await PagePool.create({ engine, pageBytes: 65536, pageCount, maxPorts: 2, channels });
  const worker = startWorker('echo-worker.js');
  const { memory } = pool.share();
  const bytesBefore = memory.buffer.byteLength;
  const done = ask(worker, { share: pool.share(), engine, seed, rounds: 1 });
  const stamper = new Stamper(pool, seed);
  const exchange = async (handle, tag) => {
    stamper.write(handle, pool.pageBytes, tag);
    pool.channel('out').send(handle, 0, pool.pageBytes, tag);
    const fragment = await pool.channel('back').next();
    return stamper.isWhole(fragment.handle, fragment.length, 1 + tag) ? fragment.handle : 0;
  };
  // The worker has seen the memory as it was before the rest of the pages is taken.
  const first = await exchange(pool.alloc(), 0);
  const handles = pool.words(pageCount);
  const taken = pool.allocBurst(handles, pageCount);
  const last = await exchange(handles[taken - 1], 4);
  handles[taken - 1] = last;
  pool.release(first);
  pool.releaseBulk(handles, taken);
  pool.channel('out').close();
  const echoed = await done;
  worker.terminate();
  const grownBytes = memory.buffer.byteLength - bytesBefore;
  return { isFirstWhole: first !== 0, isLastWhole: last !== 0, taken, grownBytes, echoed, end: await endPool(pool) };
}
