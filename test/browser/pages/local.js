// What a page and a worker of its own have where memory is not shared: the whole interface, in one thread.

import { PagePool } from '../pagepool/index.js';
import { turns } from '../support/waiting.js';
import { endPool, refusalOf } from './ending.js';
import { Stamper } from './stamp.js';
import { runWorker } from './threads.js';

export async function local({ seed, count }) {
  const inWorker = await runWorker('local-worker.js', { seed, count });
  return { inPage: await useLocally({ seed, count }), inWorker };
}

/** Every way to hand a fragment on, within this thread. */
export async function useLocally({ seed, count }) {
  const pool = await PagePool.create({ pageBytes: 1024, pageCount: 16, maxPorts: 2, channels: { work: {} } });
  const work = pool.channel('work');
  const stamper = new Stamper(pool, seed);
  const total = { came: 0, torn: 0 };
  const check = (fragment, number) => {
    total.came++;
    if (!stamper.isWhole(fragment.handle, fragment.length, number)) total.torn++;
    fragment.release();
  };
  for (let i = 0; i < count; i++) {
    const fragment = await pool.takeAsync(4 * (1 + (i % 256)));
    stamper.write(fragment.handle, fragment.length, i);
    if (i % 2 === 0) check(pool.adopt(fragment.lend()), i);
    else if (work.sendFragment(fragment, i)) check(await work.next(), i);
  }
  const held = Array.from({ length: 16 }, () => pool.take());
  const late = pool.takeAsync(100);
  await turns(1);
  held.pop().release();
  (await late).release();
  for (const fragment of held) fragment.release();
  const refusal = await refusalOf(() => pool.share());
  const page = pool.take();
  const { buffer } = page.bytes;
  await refusalOf(() => structuredClone(buffer, { transfer: [buffer] }));
  const isMemoryKept = buffer.byteLength > 0;
  page.release();
  const { crossOriginIsolated } = globalThis;
  const hasSharedBuffers = typeof SharedArrayBuffer === 'function';
  const { mode, engine } = pool;
  return {
    crossOriginIsolated,
    hasSharedBuffers,
    mode,
    engine,
    total,
    refusal,
    isMemoryKept,
    end: await endPool(pool),
  };
}
