// Creates and closes pools in rounds, and prints what the process has after each: handles, mappings, listeners,
// resident bytes.
//
//   node --expose-gc come-and-go.mjs <build> <kind> <awaited | at once> <pools a round> <rounds>
//
// `at once`: without ever returning to the event loop within a round.

import { readFileSync } from 'node:fs';

const [, , build, kind, way, count, rounds] = process.argv;
const { PagePool } = await import(`${build}index.js`);
const { slabs } = await import(`${build}providers.js`);
await import(`${build}typescript.js`);
const { userArea } = await import(`${build}user-area.js`);

const area = new SharedArrayBuffer(16 * 4096);
const OPTIONS = {
  wasm: { engine: 'wasm' },
  typescript: { engine: 'typescript' },
  slab: { provider: 'slab' },
  'user-area': { provider: userArea(area) },
  reserve: { reserve: { provider: slabs(), pageCount: 4 } },
};
const options = { pageCount: 16, maxPorts: 4, channels: { a: {} }, ...OPTIONS[kind] };
process.report.excludeNetwork = true;

function mappings() {
  try {
    return readFileSync('/proc/self/maps', 'utf8').split('\n').length;
  } catch {
    return 0;
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const found = { pools: [], handles: [], listeners: [], mappings: [], residentBytes: [] };
for (let round = 0; round < Number(rounds); round++) {
  let pools = 0;
  for (; pools < Number(count); pools++) {
    const pool = PagePool.createSync(options);
    const page = pool.alloc();
    if (page !== 0) pool.release(page);
    if (way === 'awaited') await pool.close({ ref: true });
    else pool.destroy();
  }
  // Until nothing of them is under way any more: what a collection frees may free more in a later turn.
  for (let i = 1; i <= 20; i++) {
    await turn();
    if (i % 4 === 0) globalThis.gc();
  }
  found.pools.push(pools);
  // Node 26 has a handle for each task that V8 puts off; a timer of the program is told by what holds the process.
  const handles = process.report.getReport().libuv.filter(({ type }) => type !== 'timer');
  found.handles.push(handles.length + process.getActiveResourcesInfo().length);
  found.listeners.push(process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0));
  found.mappings.push(mappings());
  found.residentBytes.push(process.memoryUsage.rss());
}
console.log(JSON.stringify(found));
process.exit(0);
