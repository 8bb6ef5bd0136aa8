// How this example uses its pool: one page a frame, two channels, and workers that may die.
//
// A frame is copied once, from the decoder into a page. The screen and the detectors then share that page: each has a
// reference, and with the last one the page goes back to be used again.

import { PagePool } from '/pagepool/index.js';
import { copyFrame, pagesFor } from '/pagepool/web.js';

/** A pool with room for eighteen frames: whatever happens, no more memory is used. */
export async function createFramePool(config) {
  return PagePool.create({
    name: 'frames',
    pageBytes: await pagesFor(config), // what a frame takes in this browser, measured by one
    pageCount: 18,
    channels: {
      screen: { capacity: 2, batch: 1, whenFull: 'drop-oldest' },
      frames: { capacity: 3, batch: 1, whenFull: 'drop-oldest' }, // who is slow gets the newest there is
    },
  });
}

/** Copies a frame into a page, for both channels. False: every page is in use, and this frame is skipped. */
export async function sendFrame(pool, frame) {
  const copying = copyFrame(pool, frame); // the browser's copy begins in this call,
  frame.close(); // so the decoder has its frame back at once
  const fragment = await copying;
  if (fragment === null) return false;
  send(pool.channel('screen'), fragment.retain()); // one more reference: nothing is copied
  send(pool.channel('frames'), fragment);
  return true;
}

function send(channel, fragment) {
  if (!channel.sendFragment(fragment)) fragment.release(); // closed: the reference is still ours
}

/** Starts a worker on the pool. What it holds comes home when it ends, in whatever way. */
export function startDetector(pool, label) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: label });
  pool.watch(worker);
  worker.postMessage({ share: pool.share(), label });
  return worker;
}

/** The newest frame for the screen, which the caller releases; null when there is none. */
export function newestFrame(pool) {
  const screen = pool.channel('screen');
  let newest = screen.receive();
  for (let next = newest && screen.receive(); next; next = screen.receive()) {
    newest.release();
    newest = next;
  }
  return newest;
}

/** Nothing more is sent. What is inside is still received, and the workers end behind it. */
export function endOfFrames(pool) {
  pool.channel('screen').close();
  pool.channel('frames').close();
}

/** Counts every page and every reference, when the workers are done, and closes the pool. */
export async function closePool(pool) {
  for (const name of ['screen', 'frames']) {
    for (let left = pool.channel(name).receive(); left; left = pool.channel(name).receive()) left.release();
  }
  const { balanced } = pool.audit();
  const { inflight, isDestroyed } = await pool.close({ timeoutMs: 60_000 });
  return { balanced, used: inflight, isDestroyed };
}
