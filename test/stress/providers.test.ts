// Every provider, and a reserve of each kind, under four threads that work at random, hand pages on and are killed at
// any moment.
//
// Ends with everything home: an exact, balanced audit, no torn bytes, each page given back to its provider as often as
// it was fed. SEED=n replays the choices (not the scheduling). LONG=1 has many more kills.

import { Worker } from 'node:worker_threads';
import { type MemoryProvider, PagePool, wasmMemory } from 'pagepool';
import { slabs } from 'pagepool/providers';
import { userArea } from 'pagepool/user-area';
import { describe, expect, it } from 'vitest';
import { region } from '../../examples/providers/region.js';
import { witness } from '../../src/testing/witness.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { HUNG_MS, until } from '../support/waiting.js';

const KILLS = process.env.LONG === '1' ? 100 : 3;
/**
 * Turns of work that all threads together do before the next kill, at most; and those that each does before the end.
 */
const TURNS_A_KILL = 32;
const TURNS_AT_LEAST = 16;
const THREADS = 4;
const PAGES = 160;
const PAGE_BYTES = 4096;
const url = (path: string) => new URL(path, import.meta.url).href;
const seed = chooseSeed('providers');

type Make = () => MemoryProvider;

const own: Make = () => wasmMemory({ stepBytes: 65536 });
const slab: Make = () => slabs({ slabBytes: 65536, keepBytes: 0, idleMs: 50 }); // drops what is free under way
const user: Make = () => userArea(new SharedArrayBuffer(PAGES * PAGE_BYTES));
/** Pages that the reserve has: the threads want more than the others are. */
const RESERVE = 96;

const PROVIDERS: readonly (readonly [name: string, make: Make, makeReserve: Make | null])[] = [
  ['wasm-memory', own, null],
  ['slab', slab, null],
  ['region', () => region(), null],
  ['user-area', user, null],
  ['wasm-memory with a reserve of slabs', own, slab],
  ['slab with a reserve in a user area', slab, user],
];

describe.each(PROVIDERS)('%s', (_, make, makeReserve) => {
  it.each(['wasm', 'typescript'] as const)(
    '%s engine: nothing is torn or lost under churn and kills',
    async (engine) => {
      const watch = witness(make());
      const isOwn = watch.provider.kind === 'wasm-memory';
      const provider = isOwn ? make() : watch.provider;
      const reserve = makeReserve === null ? undefined : witness(makeReserve());
      const pool = PagePool.createSync({
        provider,
        ...(reserve === undefined ? {} : { reserve: { provider: reserve.provider, pageCount: RESERVE } }),
        engine,
        pageBytes: PAGE_BYTES,
        pageCount: reserve === undefined ? PAGES : PAGES - RESERVE,
        maxPorts: 8,
        channels: { work: { capacity: 32, batch: 4 } },
      });
      const next = randomFrom(seed);
      const stop = new Int32Array(new SharedArrayBuffer(4));
      const failures: unknown[] = [];
      const total: Record<string, number> = {};
      /** The turns that each thread has done, by its number. */
      const progress = new Int32Array(new SharedArrayBuffer(4 * (THREADS + KILLS)));
      const done = (): number => progress.reduce((sum, count) => sum + count, 0);
      const workers = new Map<Worker, number>();
      let started = 0;
      const start = (): void => {
        const index = started++;
        const worker = new Worker(new URL('../support/churn-thread.mjs', import.meta.url), {
          workerData: {
            entry: url('../support/whole-entry.mjs'),
            testing: url('../../build/testing.js'),
            share: pool.share(),
            seed: next(),
            stop,
            progress,
            index,
            engine: next() % 4 === 0 ? 'typescript' : engine,
          },
        });
        workers.set(worker, index);
        pool.watch(worker);
        worker.on('error', (error) => failures.push(error));
        worker.on('exit', () => workers.delete(worker));
        worker.on('message', ({ total: its }: { total?: Record<string, number> }) => {
          for (const [name, count] of Object.entries(its ?? {})) total[name] = (total[name] ?? 0) + count;
        });
      };
      for (let i = 0; i < THREADS; i++) start();
      let kills = 0;
      while (kills < KILLS && failures.length === 0) {
        // Now and then at once: a thread that was just started dies before it attaches.
        const wanted = next() % 4 === 0 ? 0 : done() + (next() % TURNS_A_KILL);
        await until(() => done() >= wanted || failures.length > 0, done);
        if (next() % 3 === 0) pool.trim();
        const victim = [...workers.keys()].at(next() % 3 === 0 ? -1 : next() % workers.size);
        if (next() % 2 === 0 && victim !== undefined) {
          kills += 1;
          await victim.terminate();
          start();
        }
      }
      // The last ones started work as well.
      const hasWorked = (index: number): boolean => Atomics.load(progress, index) >= TURNS_AT_LEAST;
      await until(() => [...workers.values()].every(hasWorked) || failures.length > 0, done);
      Atomics.store(stop, 0, 1);
      await until(() => workers.size === 0);
      expect(failures).toEqual([]);
      for (let left = pool.channel('work').receive(); left !== null; left = pool.channel('work').receive())
        left.release();
      const audit = pool.audit();
      console.log(`${kills} kills, ${JSON.stringify(total)}, ${JSON.stringify(provider.describe())}`);
      expect(audit.errors).toEqual([]);
      expect(audit).toMatchObject({ exact: true, balanced: true });
      expect(total.torn).toBe(0);
      expect(total.taken).toBeGreaterThan(100);
      pool.trim();
      const stats = pool.stats();
      expect(stats.inflight).toBe(0);
      if (!isOwn || reserve !== undefined) expect(stats.provider.owner).toMatchObject({ failure: null });
      if (reserve !== undefined) expect(reserve.calls).toBeGreaterThan(10);
      expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
      for (const each of [watch, reserve]) if (each) expect(each).toMatchObject({ faults: [], out: 0, open: 0 });
    },
  );
});
