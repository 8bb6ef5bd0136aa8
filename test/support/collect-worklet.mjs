// Counts garbage collections while the body of a process() runs on pagepool/worklet, as an audio thread would call it.
//
//   node --expose-gc collect-worklet.mjs <build folder> <engine> <blocks>
//   prints {"collections": n, "heapBytes": n, "blocks": n}

import { PerformanceObserver, performance } from 'node:perf_hooks';
import { until } from './waiting.js';

const [, , build, engine, blocks] = process.argv;
const { PagePool } = await import(`${build}index.js`);
await import(`${build}typescript.js`);
const { WorkletPool } = await import(`${build}worklet.js`);
const channels = { a: {}, full: { capacity: 1, batch: 1 } };
const pool = new WorkletPool(PagePool.createSync({ pageBytes: 1024, pageCount: 64, maxPorts: 2, engine, channels }));
const [channel, full] = [pool.channel('a'), pool.channel('full')];
const input = new Float32Array(128).fill(0.25);
const output = new Float32Array(128);
if (!full.trySend(pool.tryAlloc(), 0, 512)) throw new Error();
const litter = [];

function run(count) {
  for (let i = 0; i < count; i++) {
    const page = (i & 1) === 0 ? pool.tryAlloc() : pool.tryAllocFragment(512);
    pool.write(page, input);
    if (full.trySend(page, 0, 512)) throw new Error();
    if (!channel.trySend(page, 0, 512, i)) throw new Error();
    if (!channel.tryReceive() || channel.tag !== i || channel.length !== 512) throw new Error();
    pool.read(channel.handle, output);
    pool.release(channel.handle);
    if (channel.tryReceive()) throw new Error();
    if (process.env.LITTER === '1') litter.push({ page });
  }
}

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
  run(20_000);
  await new Promise((resolve) => setImmediate(resolve));
}
observer.observe({ entryTypes: ['gc'] });
await collect();
const before = process.memoryUsage().heapUsed;
const start = performance.now();
run(Number(blocks));
const heapBytes = process.memoryUsage().heapUsed - before;
const end = await collect();
observer.disconnect();
const collections = began.filter((time) => time >= start && time < end).length;
if (output[7] !== 0.25) throw new Error();
console.log(JSON.stringify({ collections, heapBytes, blocks: Number(blocks) }));
