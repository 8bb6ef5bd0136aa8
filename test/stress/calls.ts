// Calls under stress: three threads ask, eight calls in flight each, in place and with replies taken along; two threads
// serve, and are killed and replaced if that is asked. Nobody ever stands still, each call settles, and no page is
// lost.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { expect } from 'vitest';
import { entryOf } from '../support/threads.js';
import { until } from '../support/waiting.js';

const program = new URL('./calls-thread.mjs', import.meta.url);
const ASKERS = 3;
const IN_FLIGHT = 8;

export interface CallsStress {
  readonly engine: 'wasm' | 'typescript';
  readonly pageCount: number;
  /** Of all askers together. */
  readonly calls: number;
  readonly kills: number;
  readonly seed: number;
}

/** Runs it; the numbers of calls by what became of them. */
export async function stressCalls({ engine, pageCount, calls, kills, seed }: CallsStress) {
  const pool = PagePool.createSync({
    engine,
    pageBytes: 1024,
    pageCount,
    maxPorts: 8,
    calls: { work: { capacity: 4 } },
  });
  /** Calls answered, and failed, by asker. */
  const counts = new Int32Array(new SharedArrayBuffer(8 * ASKERS));
  const total = (which: 0 | 1): number => {
    let sum = 0;
    for (let i = 0; i < ASKERS; i++) sum += Atomics.load(counts, 2 * i + which);
    return sum;
  };
  const settled = (): number => total(0) + total(1);
  const start = (role: 'ask' | 'serve', index: number): Worker => {
    const share = pool.share();
    const workerData = {
      entry: entryOf(index),
      share,
      engine,
      role,
      index,
      counts,
      inFlight: IN_FLIGHT,
      calls: calls / ASKERS,
      seed,
    };
    const worker = new Worker(program, { workerData });
    pool.watch(worker);
    worker.on('error', (error) => errors.push(error));
    if (role === 'serve') ready[index] = once(worker, 'message');
    return worker;
  };
  const errors: unknown[] = [];
  /** When the servers of now are attached. */
  const ready: Promise<unknown>[] = [];
  const servers = [start('serve', 0), start('serve', 1)];
  const askers = Array.from({ length: ASKERS }, (_, i) => start('ask', i));
  const asked = Promise.all(askers.map((worker) => once(worker, 'exit')));
  for (let killed = 0; killed < kills; killed++) {
    // Each after some more calls: nobody stands still.
    const next = Math.min(settled() + Math.max(1, Math.floor(calls / (2 * kills))), calls - 1);
    await until(
      () => settled() >= next || errors.length > 0,
      () => `${settled()} ${JSON.stringify(pool.stats().calls)}`,
    );
    const victim = killed % servers.length;
    await servers[victim]?.terminate();
    servers[victim] = start('serve', victim);
  }
  await until(
    () => settled() >= calls || errors.length > 0,
    () => `${settled()} ${JSON.stringify(pool.stats().calls)}`,
  );
  await asked;
  expect(errors).toEqual([]);
  const stats = pool.stats().calls[0];
  const [answered, failed] = [total(0), total(1)];
  expect(stats).toMatchObject({ asked: calls, answered, failed, cancelled: 0, waiting: 0, serving: 0 });
  await Promise.all(ready);
  const served = Promise.all(servers.map((worker) => once(worker, 'exit')));
  const closed = await pool.close();
  await served;
  expect(closed).toMatchObject({ isDestroyed: true, inflight: 0 });
  return { answered, failed };
}
