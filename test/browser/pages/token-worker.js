// Adopts each token that comes, checks the content, writes a new one and lends the fragment back.

import { PagePool } from './both.js';
import { Stamper } from './stamp.js';

let pool;
let stamper;
let offset = 0;
const total = { adopted: 0, torn: 0 };

self.onmessage = ({ data }) => {
  if (data.share !== undefined) {
    pool = PagePool.attach({ ...data.share, engine: data.engine });
    stamper = new Stamper(pool, data.seed);
    offset = data.count;
  } else if (data.isEnd) {
    pool.detach();
    self.postMessage(total);
  } else {
    const fragment = pool.adopt(data.token);
    const { handle, length } = fragment;
    total.adopted++;
    if (!stamper.isWhole(handle, length, data.number)) total.torn++;
    stamper.write(handle, length, offset + data.number);
    self.postMessage({ token: fragment.lend(), number: data.number });
  }
};
