// A channel that drops the oldest: what a slow page sees of a worker's frames, and that no page is lost with those it
// does not.

import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { Stamper } from './stamp.js';
import { ask, startWorker } from './threads.js';

export async function frames({ engine, seed, count }) {
  const channels = { frames: { capacity: 4, batch: 1, whenFull: 'drop-oldest' } };
  const pool = await PagePool.create({ engine, pageBytes: 4096, pageCount: 16, maxPorts: 2, channels });
  const channel = pool.channel('frames');
  const stamper = new Stamper(pool, seed);
  const total = { came: 0, torn: 0, unordered: 0, first: -1, last: -1 };
  const worker = startWorker('frame-worker.js');
  // Nobody receives while the worker sends the first half: the last four stay.
  const half = await ask(worker, { share: pool.share(), engine, seed, first: 0, count });
  const droppedAtHalf = channel.dropped;
  const pendingAtHalf = channel.pending;
  const done = ask(worker, { first: count, count });
  for await (const fragment of channel) {
    if (total.first < 0) total.first = fragment.tag;
    if (fragment.tag <= total.last) total.unordered++;
    total.last = fragment.tag;
    if (!stamper.isWhole(fragment.handle, fragment.length, fragment.tag)) total.torn++;
    fragment.release();
    total.came++;
  }
  const sent = half + (await done);
  worker.terminate();
  return { total, sent, droppedAtHalf, pendingAtHalf, dropped: channel.dropped, end: await endPool(pool) };
}
