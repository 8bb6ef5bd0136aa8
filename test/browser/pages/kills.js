// Workers that are terminated while they block, compute or have just begun: each is reaped, and nothing is missing.

import { turns, until } from '../support/waiting.js';
import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { randomFrom } from './stamp.js';
import { startWorker } from './threads.js';

const LANES = 8;
/** How a worker lives: `block` blocks at once and for good, as the guide's does. */
const LIVES = ['block', 'later', 'async', 'spin', 'churn', 'rest'];
const COMPUTING = ['spin', 'churn', 'rest'];

/** One worker lives and dies; how long it took until its port was reaped. */
async function kill(stage) {
  const { lives, pool, random } = stage;
  const how = lives[random(lives.length)];
  const label = `kill ${++stage.begun}`;
  const worker = startWorker('kill-worker.js');
  const isWatchedFirst = random(2) === 0;
  if (isWatchedFirst) pool.watch(worker);
  const failures = [];
  let portId;
  let got = 0;
  worker.onerror = ({ message }) => failures.push(message);
  worker.onmessage = ({ data }) => {
    if (data.portId === undefined) got++;
    else portId = data.portId;
  };
  worker.postMessage({ share: pool.share(), label, how });
  await until(() => portId !== undefined || failures.length > 0);
  if (failures.length > 0) return { how, failures, ms: 0 };
  if (!isWatchedFirst) pool.watch(worker);
  // From the first message on, at any moment; or when it holds what it was sent.
  const isAtOnce = random(2) === 0;
  for (let i = random(4); i > 0; i--) {
    const fragment = pool.take();
    if (fragment !== null && !pool.channel('frames').sendFragment(fragment)) fragment.release();
  }
  if (isAtOnce) await turns(random(12));
  else if (!COMPUTING.includes(how)) await until(() => got > 0 || pool.channel('frames').pending === 0);
  worker.terminate();
  const start = performance.now();
  const isThere = () => {
    const port = pool.stats().ports[portId];
    return port.isClaimed && port.label === label;
  };
  const seen = async () =>
    JSON.stringify({ how, isWatchedFirst, isAtOnce, got, held: (await navigator.locks.query()).held });
  await until(() => !isThere(), seen);
  return { how, failures, ms: performance.now() - start };
}

export async function kills({ engine, seed, count, lives = LIVES }) {
  const channels = { frames: { capacity: 64, batch: 1 } };
  const pool = await PagePool.create({ engine, pageBytes: 4096, pageCount: 128, maxPorts: LANES + 1, channels });
  const stage = { lives, pool, random: randomFrom(seed), begun: 0 };
  const failures = [];
  const slowest = {};
  let left = count;
  const lane = async () => {
    while (left-- > 0 && failures.length === 0) {
      const result = await kill(stage);
      failures.push(...result.failures);
      slowest[result.how] = Math.max(slowest[result.how] ?? 0, Math.ceil(result.ms));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  for (let each = pool.channel('frames').receive(); each !== null; each = pool.channel('frames').receive())
    each.release();
  const attached = pool.stats().ports.filter(({ isClaimed }) => isClaimed).length;
  return { failures, killed: stage.begun, slowest, attached, end: await endPool(pool) };
}
