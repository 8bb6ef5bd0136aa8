// Looks at frames in pages, turns their bytes round, and sends the same page back.

import { frameOf } from '../pagepool/web.js';
import { PagePool } from './both.js';

let pool;
self.onmessage = async ({ data: { share, isOver } }) => {
  if (share !== undefined) {
    pool = PagePool.attach(share);
    return self.postMessage({});
  }
  if (isOver) {
    pool.detach();
    return self.postMessage({});
  }
  const fragment = await pool.channel('there').next();
  const { planes, data } = frameOf(fragment);
  let sum = 0;
  for (const { bytes } of planes) for (const byte of bytes) sum += byte;
  const count = planes.length;
  data.forEach((byte, i) => {
    data[i] = byte ^ 255;
  });
  if (!pool.channel('back').sendFragment(fragment)) throw new Error('full');
  self.postMessage({ sum, planes: count });
};
