// Counts garbage collections while 10 million pairs of number calls run. Started by a test with --expose-gc --trace-gc.
//
//   node --expose-gc collect.mjs <entry> <engine> <pairs>     prints {"collections": n, "heapBytes": n, "pairs": n}

import { PerformanceObserver, performance } from 'node:perf_hooks';

const [, , entry, engine, pairs] = process.argv;
const { PagePool } = await import(entry);
const pool = PagePool.createSync({ pageCount: 256, maxPorts: 2, engine, channels: { a: {} } });
const channel = pool.channel('a');
const words = pool.words(64 * 4);

function run(count) {
  for (let i = 0; i < count; i++) {
    const page = pool.alloc();
    pool.release(page);
    if ((i & 15) !== 0) continue;
    // The rest of the number calls, one time in 16.
    const fragment = pool.allocFragment(256);
    pool.retain(fragment);
    if (pool.refCount(fragment) !== 2 || pool.offset(fragment) === 0 || pool.extent(fragment) !== 256)
      throw new Error();
    pool.release(fragment);
    channel.send(fragment, 0, 256, 7);
    if (channel.receiveBurst(words, 64) !== 1) throw new Error();
    pool.unpin(pool.pin(fragment));
    pool.release(fragment);
    pool.allocBurst(words, 32);
    pool.releaseBulk(words, 32);
    if (process.env.LITTER === '1') litter.push({ page });
  }
}
const litter = [];

let collections = 0;
const observer = new PerformanceObserver((list) => {
  for (const { startTime } of list.getEntries()) if (startTime >= start && startTime <= end) collections++;
});
let [start, end] = [Infinity, Infinity];

// Compiled and settled first: what the engine itself allocates while it optimises is not the calls' garbage.
for (let i = 0; i < 20; i++) {
  run(100_000);
  await new Promise((resolve) => setImmediate(resolve));
}
globalThis.gc();
observer.observe({ entryTypes: ['gc'] });
await new Promise((resolve) => setTimeout(resolve, 50));
const before = process.memoryUsage().heapUsed;
start = performance.now();
run(Number(pairs));
end = performance.now();
const heapBytes = process.memoryUsage().heapUsed - before;
await new Promise((resolve) => setTimeout(resolve, 50));
observer.disconnect();
console.log(JSON.stringify({ collections, heapBytes, pairs: Number(pairs), ms: Math.round(end - start) }));
