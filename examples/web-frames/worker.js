// Looks at frames for 60 ms each, as a detector might, and tells how many it saw.

import { PagePool } from '/pagepool/index.js';
import { frameOf } from '/pagepool/web.js';
import { brightnessOf } from './camera.js';

const WORK_MS = 60;

/**
 * How bright the frame is, as video has it. Decoders make planes with luma in front, as Chromium's, or pixels of four
 * bytes, as Firefox's.
 */
function brightness({ format, width, height, planes: [{ bytes, stride }] }) {
  const isPacked = /^(?:RGB|BGR)/.test(format);
  let sum = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) sum += bytes[y * stride + (isPacked ? 4 * x + 1 : x)]; // gray: green is as bright
  }
  const mean = sum / (width * height);
  return isPacked ? 16 + (mean * 219) / 255 : mean;
}

self.onmessage = ({ data: share }) => {
  const pool = PagePool.attach(share);
  const channel = pool.channel('frames');
  self.postMessage('ready');
  const report = { seen: 0, isRight: true };
  let last = -1;
  while (channel.waitSync()) {
    const fragment = channel.receive();
    if (fragment === null) continue; // the other worker was faster
    const frame = frameOf(fragment); // views of the page: nothing is copied
    const { timestamp } = frame;
    const until = performance.now() + WORK_MS;
    let mean = 0;
    do {
      mean = brightness(frame);
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
