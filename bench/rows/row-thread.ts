// A thread that runs one variant of one row: prepares it, times rounds with tinybench, and looks at its garbage.

import { PagePool, type PoolShare } from 'pagepool';
import { Bench } from 'tinybench';
import type { Garbage, Round } from '../harness/results.js';
import type { OpenRow } from '../threads/jobs.js';
import { rowOf } from './all.js';
import { collect, measureGarbage } from './litter.js';
import { ENGINES, type EngineName, type Row, type Timed } from './row.js';

/** The variant's timed function, and its pool where it has one. */
export async function prepareVariant(row: Row, variant: string): Promise<{ run: Timed; pool?: PagePool }> {
  if (row.engine !== undefined && (ENGINES as readonly string[]).includes(variant)) {
    const pool = PagePool.createSync({ ...row.pool, engine: variant as EngineName });
    return { run: await row.engine(pool), pool };
  }
  const other = row.others?.[variant];
  if (other === undefined) throw new Error(`variant=${variant} (expected one of the row ${row.id})`);
  return { run: await other.prepare() };
}

/** Pools that warming up may use, where the operation uses its pool up. */
const SPENT_POOLS = 4;

export class RowThread {
  #row!: Row;
  #variant = '';
  #run!: Timed;
  #pool: PagePool | undefined;
  /** Calls of the timed function that make one sample: 1 where the clock is fine enough. */
  #calls = 1;

  async open({ id, variant, warmUpMs, sampleUs }: OpenRow): Promise<PoolShare | null> {
    this.#row = rowOf(id);
    this.#variant = variant;
    await this.#prepare();
    const callMs = await this.#warmUp(warmUpMs);
    if (this.#row.calls === undefined) this.#calls = Math.max(1, Math.ceil(sampleUs / 1000 / callMs));
    collect();
    return (this.#row.attached ?? 0) > 0 ? (this.#pool as PagePool).share() : null;
  }

  async #prepare(): Promise<void> {
    const spent = this.#pool;
    ({ run: this.#run, pool: this.#pool } = { pool: undefined, ...(await prepareVariant(this.#row, this.#variant)) });
    spent?.destroy();
    if (spent !== undefined) collect();
  }

  /** Runs until the compilers have had their say; milliseconds of one call. */
  async #warmUp(timeMs: number): Promise<number> {
    const started = performance.now();
    let calls = 0;
    let elapsed = 0;
    do {
      for (let i = 0; i < (this.#row.calls ?? 1); i++) {
        const done = this.#run();
        if (done !== undefined) await done;
      }
      calls += this.#row.calls ?? 1;
      if (this.#row.calls !== undefined) await this.#prepare();
      elapsed = performance.now() - started;
    } while (elapsed < timeMs && calls < (this.#row.calls ?? Infinity) * SPENT_POOLS);
    return elapsed / calls;
  }

  async round(timeMs: number): Promise<Round> {
    const { calls, repeat, isAsync = false } = this.#row;
    const perSample = this.#calls;
    const run = this.#run;
    const timed =
      perSample === 1
        ? run
        : isAsync
          ? async () => {
              for (let i = 0; i < perSample; i++) await run();
            }
          : () => {
              for (let i = 0; i < perSample; i++) run();
            };
    const bench =
      calls === undefined
        ? new Bench({ time: timeMs, iterations: 3, warmupTime: timeMs / 10, warmupIterations: 1 })
        : new Bench({ time: 0, iterations: calls, warmup: false });
    bench.add('row', timed);
    const [task] = isAsync ? await bench.run() : bench.runSync();
    const result = task?.result;
    if (result === undefined || !('latency' in result)) throw failureOf(this.#row, result);
    if (calls !== undefined) await this.#prepare();
    const nanoseconds = 1e6 / (repeat * perSample);
    const { p50, p99, samplesCount } = result.latency;
    return { median: p50 * nanoseconds, p99: p99 * nanoseconds, samples: samplesCount };
  }

  async garbage(timeMs: number): Promise<Garbage> {
    const { repeat, calls, garbageOperations } = this.#row;
    const limit = calls ?? (garbageOperations === undefined ? undefined : Math.ceil(garbageOperations / repeat));
    return measureGarbage(this.#run, repeat, timeMs, limit);
  }
}

function failureOf(row: Row, result: unknown): Error {
  const cause = (result as { error?: unknown } | undefined)?.error;
  return new Error(`the row ${row.id} could not be timed: ${cause instanceof Error ? cause.stack : 'no result'}`);
}
