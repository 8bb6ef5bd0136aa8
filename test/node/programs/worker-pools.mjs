// piscina, tinypool, workerpool and comlink, the real packages: tokens go to tasks and come back, workers that end give
// their port and their pages back, and what an aborted task never adopted is taken back.

import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { PagePool } from 'pagepool';
import { fragmentHandler } from 'pagepool/comlink';
import Piscina from 'piscina';
import Tinypool from 'tinypool';
import workerpool from 'workerpool';
import { until } from '../../support/waiting.js';
import { fragmentOf } from './support.mjs';

const file = (name) => new URL(`../pool-workers/${name}.mjs`, import.meta.url);
/** This thread, and at most two workers at a time: a port that is not returned is missed at once. */
const MAX_PORTS = 3;
const ROUNDS = 4;

/** Each package, by what the test does with it. */
const packages = {
  piscina(pool, share, { idleMs }) {
    const piscina = new Piscina({
      filename: file('piscina').href,
      workerData: share,
      minThreads: 0,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      idleTimeout: idleMs,
    });
    piscina.on('workerCreate', (worker) => pool.watch(worker)); // what it passes to listeners
    return {
      run: (task, signal) => {
        const done = piscina.run(task, { signal });
        pool.watch(piscina); // and the pool itself, with the workers that it has now
        return done;
      },
      threads: () => piscina.threads.length,
      end: () => piscina.destroy(),
    };
  },
  tinypool(pool, share, { idleMs }) {
    const tinypool = new Tinypool({
      filename: file('tinypool').href,
      workerData: share,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: idleMs,
    });
    return {
      run: (task, signal) => {
        const done = tinypool.run(task, { signal });
        pool.watch(tinypool); // its workers are made by run()
        return done;
      },
      threads: () => tinypool.threads.length,
      end: () => tinypool.destroy(),
    };
  },
  workerpool(pool, share) {
    const workers = workerpool.pool(file('workerpool').pathname, {
      maxWorkers: 1,
      workerType: 'thread',
      workerThreadOpts: { workerData: share },
    });
    return {
      run: (task, signal) => {
        const done = workers.exec('run', [task]);
        pool.watch(workers);
        // Not its result, which rejects: a listener's promise that rejects ends the process.
        signal?.addEventListener('abort', () => void done.cancel());
        return done;
      },
      // It has no idle time of its own: its workers end with a cancelled task, or all of them at once.
      endIdle: () => workers.terminate(),
      threads: () => workers.stats().totalWorkers,
      end: () => workers.terminate(true),
    };
  },
};

/** Lends the fragment to a task; a token that no worker adopted is taken back. */
async function lendTo(pool, { run }, task, bytes, { signal, word } = {}) {
  const token = fragmentOf(pool, bytes).lend();
  try {
    return await run({ task, token, word }, signal);
  } catch (error) {
    try {
      pool.adopt(token).release();
    } catch (spent) {
      if (spent.code !== 'POOL_ERR_TOKEN_SPENT') throw spent; // a worker has it: its port is reaped
    }
    throw error;
  }
}

/** Nothing is out, and every port but this thread's is free. */
async function allHome(pool) {
  const claimed = () => pool.stats().ports.filter(({ isClaimed }) => isClaimed).length;
  await until(() => claimed() === 1, claimed);
  assert.equal(pool.audit().balanced, true); // settles what deaths left suspect
  pool.trim();
  const { balanced, references, pages } = pool.audit();
  assert.deepEqual({ balanced, tokens: references.tokens, used: pages.used }, { balanced: true, tokens: 0, used: 0 });
}

for (const [name, open] of Object.entries(packages)) {
  // The workers that ends give everything back, again and again.
  {
    const pool = await PagePool.create({ pageCount: 16, maxPorts: MAX_PORTS });
    const workers = open(pool, pool.share(), { idleMs: 1 });
    for (let round = 0; round < ROUNDS; round++) {
      assert.equal(await lendTo(pool, workers, 'sum', [1, 2, round]), 3 + round, name);
      const raised = pool.adopt(await lendTo(pool, workers, 'raise', [round]));
      assert.equal(raised.bytes[0], round + 1);
      raised.release();
      assert.equal(await lendTo(pool, workers, 'keep', [7]), 'kept');
      await workers.endIdle?.();
      await until(
        () => workers.threads() === 0,
        () => workers.threads(),
      );
      await allHome(pool);
    }
    await workers.end();
    await pool.close();
  }
  // A task that is aborted while it runs takes its worker along; one that waited for its turn never adopted its token.
  {
    const pool = await PagePool.create({ pageCount: 16, maxPorts: MAX_PORTS });
    const workers = open(pool, pool.share(), { idleMs: 60_000 });
    for (let round = 0; round < ROUNDS; round++) {
      const word = new Int32Array(new SharedArrayBuffer(4));
      const [running, queued] = [new AbortController(), new AbortController()];
      const first = lendTo(pool, workers, 'hang', [1], { signal: running.signal, word });
      const second = lendTo(pool, workers, 'sum', [2], { signal: queued.signal });
      const ends = Promise.allSettled([first, second]);
      await until(() => Atomics.load(word, 0) === 1);
      queued.abort();
      running.abort();
      for (const { status } of await ends) assert.equal(status, 'rejected', name);
      await until(() => workers.threads() === 0 || name === 'workerpool');
      await allHome(pool);
    }
    assert.equal(await lendTo(pool, workers, 'sum', [1, 2, 3]), 6, `${name} goes on`);
    await workers.end();
    await allHome(pool);
    await pool.close();
  }
}

// comlink: fragments are arguments and results.
{
  const pool = await PagePool.create({ pageCount: 16, maxPorts: MAX_PORTS });
  const other = await PagePool.create({ pageCount: 4 });
  Comlink.transferHandlers.set('pagepool', fragmentHandler(pool));
  for (let round = 0; round < ROUNDS; round++) {
    const worker = new Worker(file('comlink'), { workerData: pool.share() });
    pool.watch(worker);
    const work = Comlink.wrap(nodeEndpoint(worker));
    const fragment = fragmentOf(pool, [1, 2, 3]);
    assert.equal(await work.sum(fragment), 6);
    assert.throws(() => fragment.bytes, { code: 'POOL_ERR_STALE_HANDLE' });
    assert.throws(() => work.sum(fragment), { code: 'POOL_ERR_STALE_HANDLE' });
    const raised = await work.raise(fragmentOf(pool, [round]));
    assert.equal(raised.bytes[0], round + 1);
    raised.release();
    await work.keep(fragmentOf(pool, [9]));
    const foreign = fragmentOf(other, [1]);
    assert.equal(fragmentHandler(pool).canHandle(foreign), false);
    assert.equal(fragmentHandler(other).canHandle(foreign), true);
    foreign.release();
    await worker.terminate();
    await allHome(pool);
  }
  assert.throws(() => fragmentHandler({}), { code: 'POOL_ERR_INVALID_ARGUMENT' });
  await other.close();
  await pool.close();
}
console.log('ok');
