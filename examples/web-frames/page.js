// Decoded frames go to two workers that are slower than the camera: each looks at the newest there is, and the oldest
// are dropped.
//
// A page has room for one frame, as this browser's decoder makes it, and the pool for eight: whatever happens, no more
// memory is used, and each frame is closed at once, so that the decoder never waits for its own.

import { PagePool } from '/pagepool/index.js';
import { copyFrame, pagesFor } from '/pagepool/web.js';
import { camera, record } from './camera.js';

const FRAMES = 90;

const pool = await PagePool.create({
  pageBytes: await pagesFor(camera), // 128 KiB for I420, 256 KiB where the decoder makes pixels of four bytes
  pageCount: 8,
  channels: { frames: { capacity: 3, batch: 1, whenFull: 'drop-oldest' } },
});
const channel = pool.channel('frames');

const workers = ['first', 'second'].map((name) => {
  const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module', name });
  pool.watch(worker); // what it holds comes back, should it die
  const ready = Promise.withResolvers();
  const done = Promise.withResolvers();
  worker.onmessage = ({ data }) => (data === 'ready' ? ready.resolve() : done.resolve(data));
  worker.onerror = (event) => done.reject(new Error(event.message));
  worker.postMessage(pool.share());
  return { ready: ready.promise, done: done.promise };
});
await Promise.all(workers.map(({ ready }) => ready));

const total = { decoded: 0, without: 0 };
const copies = [];
await record(FRAMES, (frame) => {
  total.decoded++;
  const copying = copyFrame(pool, frame).then((fragment) => {
    if (fragment === null)
      total.without++; // all eight pages are in use: this frame is skipped
    else channel.sendFragment(fragment);
  });
  frame.close(); // the copy goes on
  copies.push(copying);
});
await Promise.all(copies);
channel.close();

const reports = await Promise.all(workers.map(({ done }) => done));
const { balanced } = pool.audit();
const { dropped } = channel;
const { isDestroyed } = await pool.close({ timeoutMs: 60_000 });
const [first, second] = reports;
const lines = [
  `${total.decoded} frames: ${first.seen} and ${second.seen} seen, ${dropped} dropped, ${total.without} without a page`,
  `in order and as bright as drawn: ${reports.every(({ isRight }) => isRight) ? 'yes' : 'NO'}`,
  `audit ${balanced ? 'balanced' : 'NOT balanced'}; pool ${isDestroyed ? 'closed' : 'NOT closed'}`,
];
for (const line of lines) console.log(line);
document.querySelector('#result').textContent = lines.join('\n');
