// Measures what the worklet recorded: how loud, and how many times a second it swings.

import { PagePool } from '/pagepool/index.js';

self.onmessage = ({ data: { share, rate } }) => {
  const pool = PagePool.attach(share);
  const channel = pool.channel('blocks');
  let [blocks, samples, swings, peak, last] = [0, 0, 0, 0, 0];
  while (channel.waitSync()) {
    const fragment = channel.receive();
    if (fragment === null) continue;
    const { buffer, byteOffset, length } = fragment.bytes;
    for (const sample of new Float32Array(buffer, byteOffset, length / 4)) {
      if (last < 0 && sample >= 0) swings++;
      peak = Math.max(peak, Math.abs(sample));
      last = sample;
      samples++;
    }
    blocks++;
    fragment.release();
  }
  pool.detach();
  self.postMessage({ blocks, peak, frequency: (swings * rate) / samples });
};
