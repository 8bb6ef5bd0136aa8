// Random programs on real threads: several workers make random calls, each with a seed, on a pool of random shape.
//
// Every thread checks each result against its own account, all content against stamps; when all are done the pool is
// audited: no page missing, no reference left. Each run prints its seed; SEED=n repeats that run alone (its choices,
// not the scheduling). LONG=1 makes more runs, of more steps.

import { PagePool, type PoolOptions } from 'pagepool';
import { describe, expect, it } from 'vitest';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { startThreads } from '../support/threads.js';
import { HUNG_MS } from '../support/waiting.js';

const isLong = process.env.LONG === '1';
const RUNS = process.env.SEED !== undefined ? 1 : isLong ? 60 : 5;
const STEPS = isLong ? 10_000 : 3000;
const file = new URL('./thread.ts', import.meta.url);
const seed = chooseSeed('threads');

type Result = { readonly failure?: string; readonly counts?: Record<string, number> };
type Message = { readonly pass?: { token?: never; pin?: number }; readonly isDone?: boolean; readonly result?: Result };

/** A pool and its threads, by a seed. */
function choose(runSeed: number) {
  const random = randomFrom(runSeed);
  const one = <T>(...values: readonly T[]): T => values[random() % values.length] as T;
  const threads = 2 + (random() % 3);
  const channel = () => ({ capacity: 1 + (random() % 20), batch: one(1, 2, 8, 32) });
  const options: PoolOptions = {
    pageCount: one(3, 8, 20, 64, 200),
    pageBytes: one(256, 1024, 4096),
    maxPorts: threads + 1,
    zero: one('never', 'never', 'on-release'),
    engine: one('wasm', 'typescript'),
    channels: {
      refuse: channel(),
      newest: { ...channel(), whenFull: 'drop-newest' },
      oldest: { ...channel(), whenFull: 'drop-oldest' },
    },
  };
  const engines = Array.from({ length: threads }, () => one('wasm', 'typescript'));
  const leaks = engines.map(() => one('off', 'off', 'sampled', 'all'));
  return { options, engines, leaks };
}

describe('random programs', () => {
  it.each(Array.from({ length: RUNS }, (_, i) => (seed + 1000 * i) >>> 0))('SEED=%i', async (runSeed) => {
    const { options, engines, leaks } = choose(runSeed);
    const pool = PagePool.createSync(options);
    const first = pool.alloc();
    const pageStart = pool.offset(first) % pool.pageBytes;
    pool.release(first);
    pool.trim();
    const data = engines.map((engine, i) => ({
      share: { ...pool.share(), engine },
      leaks: leaks[i],
      seed: (runSeed + i) >>> 0,
      steps: STEPS,
      pageStart,
    }));
    const crew = await startThreads<Result>(file, data);
    try {
      let [done, passed] = [0, 0];
      const failures: string[] = [];
      const allDone = new Promise<void>((resolve) => {
        for (const worker of crew.workers) {
          worker.on('message', ({ pass, isDone, result }: Message) => {
            // To each in turn, the sender among them.
            if (pass !== undefined) crew.workers[passed++ % crew.workers.length]?.postMessage(pass);
            if (result?.failure !== undefined) failures.push(result.failure);
            if ((isDone && ++done === crew.workers.length) || failures.length > 0) resolve();
          });
          worker.on('error', (error) => {
            failures.push(String(error.stack));
            resolve();
          });
        }
      });
      await allDone;
      const shape = JSON.stringify({ ...options, engines, leaks });
      if (failures.length > 0) throw new Error(`SEED=${runSeed} ${shape}\n${failures.join('\n')}`);
      for (const worker of crew.workers) worker.postMessage({ finish: true });
      const results = await crew.results();
      const calls = results.flatMap(({ counts = {} }) => Object.values(counts)).reduce((sum, count) => sum + count, 0);
      console.log(`SEED=${runSeed}: ${engines.join(', ')}: ${calls} calls, ${passed} tokens and pins passed`);
      for (const { failure } of results) expect(failure).toBe(undefined);
      for (const name of ['refuse', 'newest', 'oldest']) {
        const channel = pool.channel(name);
        for (let entry = channel.receive(); entry !== null; entry = channel.receive()) {
          const words = new Uint32Array(entry.bytes.slice().buffer);
          expect(words[0]).toBe(entry.tag);
          entry.release();
        }
      }
      const audit = pool.audit();
      expect(audit.errors).toEqual([]);
      expect(audit).toMatchObject({
        exact: true,
        balanced: true,
        suspects: [],
        pages: { used: 0, pinned: 0 },
        references: { ledgers: 0, channels: 0, tokens: 0 },
      });
      pool.trim();
      expect(pool.stats()).toMatchObject({ inflight: 0, suspect: 0, pages: { provider: pool.pageCount } });
      expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
    } finally {
      await crew.end();
    }
  });
});
