// Looks at frames for 60 ms each, as a detector might, and tells how many it saw.

import { PagePool } from '/pagepool/index.js';
import { frameOf } from '/pagepool/web.js';
import { brightnessOf } from './camera.js';

const WORK_MS = 60;

self.onmessage = ({ data: share }) => {
  const pool = PagePool.attach(share);
  const channel = pool.channel('frames');
  self.postMessage('ready');
  const report = { seen: 0, isRight: true };
  let last = -1;
  while (channel.waitSync()) {
    const fragment = channel.receive();
    if (fragment === null) continue; // the other worker was faster
    const { planes, width, height, timestamp } = frameOf(fragment); // views of the page: nothing is copied
    const [luma] = planes;
    const until = performance.now() + WORK_MS;
    let mean = 0;
    do {
      let sum = 0;
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) sum += luma.bytes[y * luma.stride + x];
      mean = sum / (width * height);
    } while (performance.now() < until);
    const expected = brightnessOf(Math.round(timestamp / 1000));
    if (timestamp <= last || Math.abs(mean - expected) > 4) report.isRight = false;
    last = timestamp;
    report.seen++;
    fragment.release();
  }
  pool.detach();
  self.postMessage(report);
};
