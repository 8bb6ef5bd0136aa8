// Blocks until something comes, checks it, and sends every fourth back with new content; ends when the channel is
// closed and empty.

import { PagePool } from './both.js';
import { Stamper } from './stamp.js';

self.onmessage = ({ data: { share, engine, seed, rounds } }) => {
  const pool = PagePool.attach({ ...share, engine });
  const out = pool.channel('out');
  const back = pool.channel('back');
  const stamper = new Stamper(pool, seed);
  const total = { engine: pool.engine, received: 0, returned: 0, torn: 0 };
  while (out.waitSync()) {
    const fragment = out.receive();
    if (fragment === null) continue;
    total.received++;
    const { handle, length, tag } = fragment;
    if (!stamper.isWhole(handle, length, tag)) total.torn++;
    if (tag % 4 === 0) {
      stamper.write(handle, length, rounds + tag);
      if (back.sendFragment(fragment, tag)) {
        total.returned++;
        continue;
      }
    }
    fragment.release();
  }
  back.close();
  pool.detach();
  self.postMessage(total);
};
