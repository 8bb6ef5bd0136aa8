// Counts garbage collections while the body of a process() runs on pagepool/worklet, as an audio thread would call it.
//
//   node --expose-gc collect-worklet.mjs <build folder> <engine> <blocks>     prints {"collections": n, "heapBytes": n, "blocks": n}

import { PerformanceObserver, performance } from 'node:perf_hooks';

const [, , build, engine, blocks] = process.argv;
const { PagePool } = await import(`${build}index.js`);
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

let collections = 0;
const observer = new PerformanceObserver((list) => {
  for (const { startTime } of list.getEntries()) if (startTime >= start && startTime <= end) collections++;
});
let [start, end] = [Infinity, Infinity];

// Compiled and settled first: what the engine itself allocates while it optimises is not the calls' garbage.
for (let i = 0; i < 20; i++) {
  run(20_000);
  await new Promise((resolve) => setImmediate(resolve));
}
globalThis.gc();
observer.observe({ entryTypes: ['gc'] });
await new Promise((resolve) => setTimeout(resolve, 50));
const before = process.memoryUsage().heapUsed;
start = performance.now();
run(Number(blocks));
end = performance.now();
const heapBytes = process.memoryUsage().heapUsed - before;
await new Promise((resolve) => setTimeout(resolve, 50));
observer.disconnect();
if (output[7] !== 0.25) throw new Error();
console.log(JSON.stringify({ collections, heapBytes, blocks: Number(blocks) }));
