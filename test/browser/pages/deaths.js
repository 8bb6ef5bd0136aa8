// Workers that end at random moments, several at once: each is reaped when its lock is given away, and nothing is
// missing.

import { CHANNELS } from '../stress/churn.js';
import { settleAll } from '../stress/quiet.js';
import { until } from '../support/waiting.js';
import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { randomFrom } from './stamp.js';
import { startWorker } from './threads.js';

const THREADS = 4;
const BATCH = 40;
/** Fragments that all workers together check before the next one ends, at most. */
const CHECKS_A_DEATH = 1000;

/** Who has which lock, for the error of a wait. */
const locks = async () => JSON.stringify(await navigator.locks.query());

/** Lets one worker live for a while, and waits until its port is reaped. */
async function liveAndDie(stage) {
  const { pool, engine, random, counts, live, failures, ends } = stage;
  const worker = startWorker('mortal-worker.js');
  const seed = random(2 ** 31);
  const checked = () => Atomics.load(counts, 0);
  pool.watch(worker);
  let portId;
  worker.onerror = ({ message }) => failures.push(message);
  worker.onmessage = ({ data }) => {
    if (data.portId !== undefined) portId = data.portId;
    else if (data.failure !== undefined) failures.push(data.failure);
    else {
      // To any thread that lives, one that gets it or not; where there is none it is taken back.
      const others = [...live];
      if (others.length === 0) pool.reclaimTokens(0);
      else others[random(others.length)].postMessage(data);
    }
  };
  const isEndless = ++stage.started % stage.endlessEvery === 0;
  worker.postMessage({ share: pool.share(), engine, seed, counts, isEndless });
  // An endless one hears of no token: all pages could be on their way to it before anybody looks, and no page moves.
  if (!isEndless) live.add(worker);
  await until(() => portId !== undefined || failures.length > 0, locks);
  const wanted = checked() + random(CHECKS_A_DEATH);
  await until(() => checked() >= wanted || failures.length > 0, checked);
  live.delete(worker);
  const end = isEndless ? 'endless' : random(8) === 0 ? 'close' : 'terminate';
  ends[end] += 1;
  if (end === 'close') worker.postMessage({ end });
  else worker.terminate();
  await until(() => {
    const { isClaimed, label } = pool.stats().ports[portId];
    return !isClaimed || label !== `mortal ${seed}`;
  }, locks);
  worker.terminate();
  // Those that were on their way to it, and any other: too many of them, and nobody has a page to work with.
  pool.reclaimTokens(0);
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
  const endlessEvery = Math.min(20, count);
  const stage = { pool, engine, random, counts, live: new Set(), failures, ends, started: 0, endlessEvery };
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
