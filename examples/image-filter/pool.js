// How this example uses its pool: a painter sends pictures in pages, and asks nobody whether they are wanted: it waits
// for room. Each picture is filtered by a call, which a worker answers with a page of its own.
//
// device.js does the same filter on the graphics card, from and to pages of this pool.

import { PagePool } from '/pagepool/index.js';
import { BYTES } from './filter.js';

export function createPicturePool() {
  return PagePool.create({
    name: 'pictures',
    pageBytes: 2 ** Math.ceil(Math.log2(BYTES)), // a picture a page
    pageCount: 18,
    channels: { pictures: { capacity: 2, batch: 1 } },
    calls: { filter: { capacity: 2 } },
  });
}

/** Starts a worker on the pool, `painter` or `filter`. What it holds comes home when it ends, in whatever way. */
export function startWorker(pool, label) {
  // Written out, so that bundlers find both files.
  const worker =
    label === 'painter'
      ? new Worker(new URL('./painter.js', import.meta.url), { type: 'module', name: label })
      : new Worker(new URL('./filter-worker.js', import.meta.url), { type: 'module', name: label });
  pool.watch(worker);
  worker.postMessage({ share: pool.share(), label });
  return worker;
}

/** The filtered picture, from a worker; the picture stays the caller's. It fails when that worker dies meanwhile. */
export function filterByWorker(pool, picture, signal) {
  return pool.calls('filter').call(picture.retain(), { signal });
}

/**
 * Counts every page and every reference, and closes the pool. The worker that serves it ends then, and a call that was
 * given up is let go of.
 */
export async function closePool(pool) {
  let audit = pool.audit();
  // The worker may be at a call that was given up: what is counted while it moves is not so.
  while (!audit.exact) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    audit = pool.audit();
  }
  const { balanced } = audit;
  const { inflight, isDestroyed } = await pool.close({ timeoutMs: 60_000 });
  return { balanced, used: inflight, isDestroyed };
}
