// What calls leave in the old space of the thread that asks: keep.mjs ENTRY CALLS. It counts what scavenges promoted,
// before anything collects the old space.

import { getHeapSpaceStatistics } from 'node:v8';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const { entry, share } = workerData ?? { entry: process.argv[2] };
const { PagePool } = await import(entry);
const IN_FLIGHT = 8;

if (isMainThread) {
  const calls = Number(process.argv[3]);
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 16, calls: { work: {} } });
  pool.watch(new Worker(new URL(import.meta.url), { workerData: { entry, share: pool.share() } }));
  const work = pool.calls('work');
  const askAll = async (count) => {
    for (let i = 0; i < count / IN_FLIGHT; i++) (await work.call(await pool.takeAsync(2048))).release();
  };
  const run = (count) => Promise.all(Array.from({ length: IN_FLIGHT }, () => askAll(count)));
  await run(calls); // compilers
  globalThis.gc();
  const before = oldBytes();
  await run(calls);
  process.stdout.write(JSON.stringify({ calls, keptBytes: oldBytes() - before }));
  await pool.close();
} else {
  const pool = PagePool.attach(share);
  await pool.calls('work').serve(({ reply }) => reply.length);
  pool.detach();
}

function oldBytes() {
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => name === 'old_space' || name === 'map_space')
    .reduce((sum, { space_used_size: used }) => sum + used, 0);
}
