// Sends frames as fast as it can into a channel that drops the oldest; closes it after the second half.

import { PagePool } from './both.js';
import { Stamper } from './stamp.js';

let pool;
let stamper;

self.onmessage = ({ data }) => {
  if (data.share !== undefined) {
    pool = PagePool.attach({ ...data.share, engine: data.engine });
    stamper = new Stamper(pool, data.seed);
  }
  const channel = pool.channel('frames');
  let sent = 0;
  while (sent < data.count) {
    const handle = pool.alloc();
    if (handle === 0) continue; // the page holds the others for a moment
    const number = data.first + sent;
    stamper.write(handle, 4096, number);
    if (!channel.send(handle, 0, 4096, number)) throw new Error('a channel that drops the oldest is never full');
    sent++;
  }
  if (data.first > 0) {
    channel.close();
    pool.detach();
  }
  self.postMessage(sent);
};
