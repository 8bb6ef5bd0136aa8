// Counts garbage collections while pairs of number calls run, and bytes. Started by a test with --expose-gc.
//
//   node --expose-gc collect.mjs <entry> <engine> <pairs>     prints {"collections": n, "heapBytes": n, "pairs": n}

import { PerformanceObserver, performance } from 'node:perf_hooks';
import { until } from './waiting.js';

const [, , entry, engine, pairs] = process.argv;
const { PagePool } = await import(entry);
const pool = PagePool.createSync({ pageCount: 256, maxPorts: 2, engine, channels: { a: {} } });
const channel = pool.channel('a');
const words = pool.words(64 * 4);
const entries = pool.words(64 * 4);

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
    if (!pool.allocBulk(words, 8) || pool.area(words[0])[pool.offset(words[0])] === undefined) throw new Error();
    if (!pool.isReadable(words[0])) throw new Error();
    pool.releaseBulk(words, 8);
    entries[0] = pool.alloc();
    if (channel.sendBurst(entries, 1) !== 1 || channel.receiveBurst(entries, 64) !== 1) throw new Error();
    pool.release(entries[0]);
    if (process.env.LITTER === '1') litter.push({ page });
  }
}
const litter = [];

/** When each collection began. */
const began = [];
const observer = new PerformanceObserver((list) => began.push(...list.getEntries().map(({ startTime }) => startTime)));

/** Collects, and waits until that is told: whatever began before is told by then. Returns when it was. */
async function collect() {
  const now = performance.now();
  globalThis.gc();
  await until(() => began.some((time) => time >= now));
  return now;
}

// Compiled and settled first: what the engine itself allocates while it optimises is not the calls' garbage.
for (let i = 0; i < 20; i++) {
  run(Number(pairs) / 100);
  await new Promise((resolve) => setImmediate(resolve));
}
observer.observe({ entryTypes: ['gc'] });
await collect();
const before = process.memoryUsage().heapUsed;
const start = performance.now();
run(Number(pairs));
const heapBytes = process.memoryUsage().heapUsed - before;
const end = await collect();
observer.disconnect();
const collections = began.filter((time) => time >= start && time < end).length;
console.log(JSON.stringify({ collections, heapBytes, pairs: Number(pairs) }));
