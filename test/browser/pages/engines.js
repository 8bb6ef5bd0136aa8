// Which engine a page and its worker get under the page's content security policy, and that they hand pages on with it.

import { PagePool } from './both.js';
import { endPool, refusalOf } from './ending.js';
import { Stamper } from './stamp.js';
import { ask, startWorker } from './threads.js';

export async function engines({ seed, engine: wanted = 'auto', withModule = true }) {
  const channels = { out: { capacity: 8, batch: 1 }, back: { capacity: 8, batch: 1 } };
  const pool = await PagePool.create({ engine: wanted, pageCount: 8, maxPorts: 2, channels });
  const stamper = new Stamper(pool, seed);
  const worker = startWorker('echo-worker.js');
  const { module, ...share } = pool.share();
  if (withModule) share.module = module;
  const done = ask(worker, { share, engine: wanted, seed, rounds: 100 });
  for (let i = 0; i < 8; i++) {
    const fragment = await pool.takeAsync(4096);
    stamper.write(fragment.handle, 4096, i);
    if (!pool.channel('out').sendFragment(fragment, i)) fragment.release();
  }
  pool.channel('out').close();
  let torn = 0;
  for await (const fragment of pool.channel('back')) {
    if (!stamper.isWhole(fragment.handle, fragment.length, 100 + fragment.tag)) torn++;
    fragment.release();
  }
  const echoed = await done;
  worker.terminate();
  const wasm =
    wanted === 'auto' ? await refusalOf(async () => (await PagePool.create({ engine: 'wasm' })).close()) : {};
  const { mode, engine } = pool;
  return { isIsolated: crossOriginIsolated, mode, engine, torn, echoed, wasm, end: await endPool(pool) };
}
