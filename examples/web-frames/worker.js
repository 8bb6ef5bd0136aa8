// Looks for what moves: compares each frame that it gets with the one before, which it keeps as a page, uncopied.

import { attach } from '/pagepool/attach.js';
import { frameOf } from '/pagepool/web.js';

const STEP = 8; // every 8th pixel of every 8th row is looked at
const DIFFERENCE = 28;

let workMs = 0;

self.onmessage = async ({ data: { share, label } }) => {
  self.onmessage = ({ data }) => {
    workMs = data.workMs;
  };
  const pool = attach(share, { label });
  let before = null;
  for await (const fragment of pool.channel('frames')) {
    const until = performance.now() + workMs; // a detector that takes so long
    let box;
    do box = before && findMotion(frameOf(before), frameOf(fragment));
    while (performance.now() < until);
    self.postMessage({ timestamp: frameOf(fragment).timestamp, box });
    before?.release();
    before = fragment;
  }
  before?.release();
  pool.detach(); // the channel is closed and empty
  self.postMessage('done');
};

/** The box around everything that differs; null where nothing does. The frames are views of the pages. */
function findMotion(one, other) {
  const { width, height } = other;
  const [first, second] = [brightnessOf(one), brightnessOf(other)];
  const differs = (x, y) => Math.abs(first(x, y) - second(x, y)) > DIFFERENCE;
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y += STEP) {
    for (let x = 0; x < width; x += STEP) {
      if (!differs(x, y)) continue;
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x), Math.max(bottom, y)];
    }
  }
  return right === 0 ? null : { x: left, y: top, width: right - left, height: bottom - top };
}

/** Decoders make planes with luma in front, as Chromium's, or pixels of four bytes, as Firefox's. */
function brightnessOf({ format, planes: [{ bytes, stride }] }) {
  const isPacked = /^(?:RGB|BGR)/.test(format);
  return isPacked ? (x, y) => bytes[y * stride + 4 * x + 1] : (x, y) => bytes[y * stride + x];
}
