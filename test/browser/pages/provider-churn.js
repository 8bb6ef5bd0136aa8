// One provider, by name, in a page: the suite of providers, and churn from four workers with kills.

import { churn, testProvider } from '../pagepool/testing.js';
import { userArea } from '../pagepool/user-area.js';
import { until } from '../support/waiting.js';
import { PagePool, slabs, wasmMemory } from './both.js';
import { endPool } from './ending.js';
import { randomFrom } from './stamp.js';
import { startWorker } from './threads.js';

const THREADS = 4;
const PAGES = 160;
const RESERVE_PAGES = 96;
const PAGE_BYTES = 4096;

const MAKE = {
  'wasm-memory': () => wasmMemory({ stepBytes: 65536 }),
  slab: () => slabs({ slabBytes: 65536, keepBytes: 65536, idleMs: 600_000 }),
  'user-area': () => userArea(new SharedArrayBuffer(PAGES * PAGE_BYTES)),
};

/** The suite, in the page. */
export async function providerConformance({ provider, seed }) {
  await testProvider(MAKE[provider], { seed, pageCount: 64 });
  return 'passed';
}

/** Workers that churn until they are ended: after some rounds of all, or by a word. */
export async function providerChurn({ provider, reserve, engine, seed, kills }) {
  const random = randomFrom(seed);
  const pool = await PagePool.create({
    provider: MAKE[provider](),
    ...(reserve === undefined ? {} : { reserve: { provider: MAKE[reserve](), pageCount: RESERVE_PAGES } }),
    engine,
    pageBytes: PAGE_BYTES,
    pageCount: reserve === undefined ? PAGES : PAGES - RESERVE_PAGES,
    maxPorts: 2 * THREADS,
    channels: { work: { capacity: 32, batch: 4 } },
  });
  /** The word that stops the workers, and the rounds that all of them did. */
  const words = new Int32Array(new SharedArrayBuffer(8));
  const rounds = () => Atomics.load(words, 1);
  const work = async (count) => {
    const wanted = rounds() + count;
    await until(() => rounds() >= wanted || failures.length > 0, rounds);
  };
  const failures = [];
  const total = { taken: 0, received: 0, torn: 0 };
  const live = new Set();
  const start = async () => {
    const worker = startWorker('churn-worker.js');
    pool.watch(worker);
    await new Promise((resolve, reject) => {
      worker.done = new Promise((done) => {
        worker.onmessage = ({ data }) => {
          if (data.ready !== undefined) resolve();
          if (data.total === undefined) return;
          for (const name of Object.keys(total)) total[name] += data.total[name];
          done();
        };
        worker.onerror = ({ message }) => {
          failures.push(message);
          reject(new Error(message));
          done();
        };
      });
      worker.postMessage({ share: pool.share(), engine, seed: random(2 ** 31), rounds: 1e9, words });
    });
    live.add(worker);
  };
  await Promise.all(Array.from({ length: THREADS }, start));
  for (let killed = 0; killed < kills && failures.length === 0; killed++) {
    await work(random(32));
    // The page works too, and so serves the others' wants.
    total.torn += churn(pool, { seed: random(2 ** 31), rounds: 200, hold: 8 }).torn;
    if (random(3) === 0) pool.trim();
    const victim = [...live][random(live.size)];
    live.delete(victim);
    victim.terminate();
    await start();
  }
  const areas = pool.stats().provider.owner?.areas ?? 0;
  await work(32); // the last ones work, too
  Atomics.store(words, 0, 1);
  await Promise.all([...live].map(({ done }) => done));
  for (const worker of live) worker.terminate();
  // Those that were killed are reaped when their locks are given away.
  await until(() => pool.stats().ports.filter(({ isClaimed }) => isClaimed).length === 1);
  for (let left = pool.channel('work').receive(); left !== null; left = pool.channel('work').receive()) left.release();
  pool.trim();
  return { failures, total, areas, failure: pool.stats().provider.owner?.failure ?? null, end: await endPool(pool) };
}
