// A page that may not block waits by promises: for pages that a worker releases, and for what it sends back.
//
// The pool is smaller than what is under way, so that takeAsync must wait for the worker's releases.

import { PagePool } from './both.js';
import { endPool, refusalOf } from './ending.js';
import { Stamper } from './stamp.js';
import { ask, startWorker } from './threads.js';

export async function mainThread({ engine, seed, rounds }) {
  const channels = { out: { capacity: 8, batch: 1 }, back: { capacity: 8, batch: 1 } };
  const pool = await PagePool.create({ engine, pageBytes: 1024, pageCount: 4, maxPorts: 2, channels });
  const out = pool.channel('out');
  const back = pool.channel('back');
  const stamper = new Stamper(pool, seed);
  const total = { sent: 0, came: 0, torn: 0 };
  const counted = countCalls();

  // Nothing runs beside this wait: whatever timer is started is its own.
  const early = back.next({ signal: AbortSignal.timeout(20) }).catch(({ name }) => name);
  const timersOfNext = counted.timers;
  const aborted = await early;
  const timeout = await refusalOf(() => back.next({ timeoutMs: 20 }));
  const blocking = await refusalOf(() => back.waitSync(1000));

  const worker = startWorker('echo-worker.js');
  const done = ask(worker, { share: pool.share(), engine, seed, rounds });
  const receiving = (async () => {
    for await (const fragment of back) {
      if (!stamper.isWhole(fragment.handle, fragment.length, rounds + fragment.tag)) total.torn++;
      fragment.release();
      total.came++;
    }
  })();
  for (let i = 0; i < rounds; i++) {
    const fragment = await pool.takeAsync(4 * (1 + (i % 256)));
    stamper.write(fragment.handle, fragment.length, i);
    while (!out.sendFragment(fragment, i)) await out.waitRoom();
    total.sent++;
  }
  out.close();
  const echoed = await done;
  await receiving;
  worker.terminate();
  counted.restore();
  const { waits } = counted;
  return { total, echoed, aborted, timeout, blocking, waits, timersOfNext, end: await endPool(pool) };
}

/** Counts what the package calls to wait. */
function countCalls() {
  const { waitAsync } = Atomics;
  const { setTimeout } = globalThis;
  const counted = {
    waits: 0,
    timers: 0,
    restore: () => {
      Atomics.waitAsync = waitAsync;
      globalThis.setTimeout = setTimeout;
    },
  };
  Atomics.waitAsync = (...args) => {
    counted.waits++;
    return waitAsync(...args);
  };
  globalThis.setTimeout = (...args) => {
    counted.timers++;
    return setTimeout(...args);
  };
  return counted;
}
