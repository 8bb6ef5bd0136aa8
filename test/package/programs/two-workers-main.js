// A page with two workers that only attach, a script each: what a bundler makes of both. A page goes through the first
// and the second, and comes back.

import { PagePool } from 'pagepool';
import { publish } from './web-page.js';

async function run() {
  const pool = await PagePool.create({ channels: { first: {}, second: {}, back: {} } });
  const workers = [
    new Worker(new URL('./two-workers-first.js', import.meta.url), { type: 'module' }),
    new Worker(new URL('./two-workers-second.js', import.meta.url), { type: 'module' }),
  ];
  const failed = new Promise((_, reject) => {
    for (const worker of workers) worker.onerror = ({ message }) => reject(new Error(`a worker failed: ${message}`));
  });
  const left = workers.map((worker) => new Promise((resolve) => worker.addEventListener('message', resolve)));
  for (const worker of workers) worker.postMessage(pool.share());
  const fragment = await pool.takeAsync(100);
  fragment.bytes.fill(1);
  await pool.channel('first').sendAsync(fragment);
  const back = await Promise.race([pool.channel('back').next(), failed]);
  const byte = back.bytes[99];
  back.release();
  await Promise.race([Promise.all(left), failed]);
  const { balanced } = pool.audit();
  const { isDestroyed } = await pool.close();
  return { byte, balanced, isDestroyed };
}

publish(run());
