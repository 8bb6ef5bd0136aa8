// A process that fills slabs to some bytes, releases, idles, and prints its memory as JSON: bytes of RSS above the
// start at the height of the burst and after it, and the bytes that the provider kept. Its own process, so that RSS is
// the pool's alone. Nobody asks for a collection, and a thread that is attached idles all the time.
//
// node burst.mjs ENTRY BURST_BYTES KEEP_BYTES SLAB_BYTES

import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { until } from './waiting.js';

const pageBytes = 64 * 1024;
/** What V8 and malloc keep. */
const NOISE_BYTES = 32 * 2 ** 20;

async function runAll([entry, burst, keep, slabBytes]) {
  const { PagePool, slabs } = await import(entry);
  const pageCount = Number(burst) / pageBytes;
  const provider = slabs({ slabBytes: Number(slabBytes), keepBytes: Number(keep), idleMs: 200 });
  const pool = await PagePool.create({ provider, pageBytes, pageCount, maxPorts: 4 });
  const worker = new Worker(new URL(import.meta.url), { workerData: { entry, share: pool.share() } });
  await once(worker, 'message');
  const before = process.memoryUsage.rss();
  const handles = new Uint32Array(pageCount);
  for (let i = 0; i < pageCount; i++) {
    handles[i] = pool.alloc();
    pool.bytes(handles[i]).fill(1);
  }
  const highBytes = process.memoryUsage.rss() - before;
  for (const handle of handles) pool.release(handle);
  const bytes = () => provider.describe().bytes;
  await until(() => bytes() <= Number(keep), bytes); // idles: nobody calls trim()
  const keptBytes = bytes();
  // Dropped buffers are garbage: the collectors of both threads give them back, which nobody calls.
  let lowBytes = Infinity;
  await until(
    () => {
      lowBytes = Math.min(lowBytes, process.memoryUsage.rss() - before);
      return lowBytes < keptBytes + NOISE_BYTES;
    },
    () => lowBytes,
  );
  worker.postMessage('end');
  const { isDestroyed } = await pool.close();
  return { highBytes, lowBytes, keptBytes, isDestroyed };
}

async function runThread({ entry, share }) {
  const { PagePool } = await import(entry);
  const pool = PagePool.attach(share);
  parentPort.once('message', () => pool.detach());
  parentPort.postMessage('attached');
}

if (isMainThread) console.log(JSON.stringify(await runAll(process.argv.slice(2))));
else await runThread(workerData);
