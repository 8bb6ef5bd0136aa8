// Workers that end at random moments, several at once: each is reaped when its lock is given away, and nothing is missing.

import { PagePool } from '../pagepool/index.js';
import { CHANNELS } from '../stress/churn.js';
import { settleAll } from '../stress/quiet.js';
import { endPool } from './ending.js';
import { randomFrom } from './stamp.js';
import { startWorker } from './threads.js';

const PATIENCE_MS = 20_000;
const THREADS = 4;
const BATCH = 40;

/** Comes back a task later, also where a page's timers are throttled. */
function breathe() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port2.onmessage = () => {
      port1.close();
      resolve();
    };
    port1.postMessage(0);
  });
}

async function later(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end) await breathe();
}

/** Waits for it to be so; throws when it never is. */
async function until(what, isSo) {
  for (const end = performance.now() + PATIENCE_MS; !isSo(); await breathe()) {
    if (performance.now() > end) throw new Error(`${what}; locks: ${JSON.stringify(await navigator.locks.query())}`);
  }
}

/** Lets one worker live for a while, and waits until its port is reaped. */
async function liveAndDie(stage) {
  const { pool, engine, random, counts, live, failures, ends } = stage;
  const worker = startWorker('mortal-worker.js');
  const seed = random(2 ** 31);
  pool.watch(worker);
  let portId;
  worker.onerror = ({ message }) => failures.push(message);
  worker.onmessage = ({ data }) => {
    if (data.portId !== undefined) portId = data.portId;
    else if (data.failure !== undefined) failures.push(data.failure);
    else {
      // To any thread that lives; one that gets it or not.
      const others = [...live];
      others[random(others.length || 1)]?.postMessage(data);
    }
  };
  const isEndless = ++stage.started % 20 === 0;
  worker.postMessage({ share: pool.share(), engine, seed, counts, isEndless });
  await until(`worker ${seed} does not attach`, () => portId !== undefined || failures.length > 0);
  live.add(worker);
  await later(random(24));
  live.delete(worker);
  const end = isEndless ? 'endless' : random(8) === 0 ? 'close' : 'terminate';
  ends[end] += 1;
  if (end === 'close') worker.postMessage({ end });
  else worker.terminate();
  await until(`port ${portId} of worker ${seed} is not reaped`, () => {
    const { isClaimed, label } = pool.stats().ports[portId];
    return !isClaimed || label !== `mortal ${seed}`;
  });
  worker.terminate();
}

export async function deaths({ engine, seed, count }) {
  const pool = await PagePool.create({
    engine,
    pageBytes: 256,
    pageCount: 160,
    maxPorts: THREADS + 2,
    channels: CHANNELS,
  });
  const random = randomFrom(seed);
  const counts = new Int32Array(new SharedArrayBuffer(12));
  const failures = [];
  const ends = { terminate: 0, endless: 0, close: 0 };
  const stage = { pool, engine, random, counts, live: new Set(), failures, ends, started: 0 };
  const batches = [];
  for (let done = 0; done < count && failures.length === 0; done += BATCH) {
    let left = Math.min(BATCH, count - done);
    const lane = async () => {
      while (left-- > 0 && failures.length === 0) await liveAndDie(stage);
    };
    await Promise.all(Array.from({ length: THREADS }, lane));
    batches.push(settleAll(pool, counts));
  }
  const { repaired } = pool.stats();
  const attached = pool.stats().ports.filter(({ isClaimed }) => isClaimed).length;
  return { failures, ends, batches, repaired, attached, end: await endPool(pool) };
}
