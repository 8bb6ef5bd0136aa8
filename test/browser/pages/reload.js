// A page with a pool of which 64 MiB were written. It leaves everything as it is when it goes: waits, calls and watches
// are outstanding, and a worker blocks or waits.

import { PagePool, slabs } from './both.js';

const PAGE_BYTES = 1024 * 1024;
const PAGES = 64;

const flags = new URLSearchParams(location.search);
const pool = await PagePool.create({
  engine: flags.has('typescript') ? 'typescript' : 'auto',
  provider: flags.has('slabs') ? slabs() : undefined,
  pageBytes: PAGE_BYTES,
  pageCount: 4 * PAGES,
  channels: { work: {}, never: {} },
  calls: { ask: {} },
});
const pages = pool.words(PAGES);
const written = pool.allocBurst(pages, PAGES);
for (let i = 0; i < written; i++) pool.bytes(pages[i]).fill(1);

if (flags.has('busy')) {
  const worker = new Worker(new URL('./reload-worker.js', import.meta.url), { type: 'module' });
  const isReady = new Promise((resolve) => {
    worker.onmessage = resolve;
  });
  await pool.watch(worker);
  worker.postMessage({ share: pool.share(), isBlocking: flags.has('blocking') });
  await isReady;
  pool
    .channel('never')
    .next()
    .catch(() => {});
  pool
    .calls('ask')
    .call(pool.take())
    .catch(() => {});
}
globalThis.written = written;
