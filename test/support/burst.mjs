// A process that fills slabs to 2 GiB, releases, idles, and prints its memory as JSON: bytes of RSS above the start at
// the height of the burst and after it, and the bytes that the provider kept. Its own process, so that RSS is the
// pool's alone.
//
// node --expose-gc burst.mjs ENTRY BURST_BYTES KEEP_BYTES

import { until } from './waiting.js';

const [, , entry, burst, keep] = process.argv;
const { PagePool, slabs } = await import(entry);
const pageBytes = 64 * 1024;
const pageCount = Number(burst) / pageBytes;

const provider = slabs({ slabBytes: 32 * 1024 * 1024, keepBytes: Number(keep), idleMs: 200 });
const pool = await PagePool.create({ provider, pageBytes, pageCount, maxPorts: 4 });
const handles = new Uint32Array(pageCount);
globalThis.gc();
const before = process.memoryUsage.rss();
for (let i = 0; i < pageCount; i++) {
  handles[i] = pool.alloc();
  pool.bytes(handles[i]).fill(1);
}
const highBytes = process.memoryUsage.rss() - before;
for (const handle of handles) pool.release(handle);
const bytes = () => provider.describe().bytes;
await until(() => bytes() <= Number(keep), bytes); // idles: nobody calls trim()
const keptBytes = bytes();
// Dropped buffers are garbage: the collector gives them back, in threads of its own.
let lowBytes = Infinity;
await until(
  () => {
    globalThis.gc();
    lowBytes = Math.min(lowBytes, process.memoryUsage.rss() - before);
    return lowBytes < keptBytes * 1.1;
  },
  () => lowBytes,
);
const { isDestroyed } = await pool.close();
console.log(JSON.stringify({ highBytes, lowBytes, keptBytes, isDestroyed }));
