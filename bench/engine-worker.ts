// One engine's side of the bench: a thread of its own, so that what the compiler learns from one engine's calls does not
// make the other's slower. A program uses one engine; a thread that uses both pays for calls with two targets.

import { PerformanceObserver } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { Bench } from 'tinybench';
import { cases } from './cases.js';

/** One round of one case. */
export interface Job {
  readonly index: number;
  readonly timeMs: number;
}

/** Nanoseconds an operation over the samples of a round, and the collections meanwhile. */
export interface Round {
  readonly median: number;
  readonly p99: number;
  readonly collections: number;
}

const { engine } = workerData as { engine: 'wasm' | 'typescript' };
const runs = new Map<number, () => void>();

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

function prepare(index: number): () => void {
  const item = cases[index];
  if (item === undefined) throw new Error(`index=${index} (expected a case)`);
  const run = item.prepare(PagePool.createSync({ ...item.options, engine }));
  runs.set(index, run);
  return run;
}

/** Lets the observer report what was collected. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

async function round({ index, timeMs }: Job): Promise<Round> {
  const item = cases[index];
  const run = runs.get(index) ?? prepare(index);
  const bench = new Bench({ time: timeMs, warmupTime: timeMs / 4, retainSamples: false });
  bench.add('case', run);
  await settle();
  const before = collections;
  const [task] = await bench.run();
  await settle();
  const result = task?.result;
  if (item === undefined || result === undefined || !('latency' in result)) throw new Error('no result');
  const nanoseconds = 1e6 / item.repeat;
  return {
    median: result.latency.p50 * nanoseconds,
    p99: result.latency.p99 * nanoseconds,
    collections: collections - before,
  };
}

parentPort?.on('message', async (job: Job) => parentPort?.postMessage(await round(job)));
