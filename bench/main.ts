// npm run bench [-- --rounds N --time MS --case TEXT]: each case on both engines, in turn, in one process.
//
// Rounds interleave the engines, so that a drift of the machine meets both; reported is the median of the rounds. Garbage
// collections are counted while a case runs. Losses are reported as they come: a ratio below 1 is a loss of the Wasm engine.

import { PerformanceObserver } from 'node:perf_hooks';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { PagePool } from 'pagepool';
import { Bench } from 'tinybench';
import { machineLines } from '../examples/socket-to-workers/machine.js';
import { type Case, cases } from './cases.js';

const ENGINES = ['wasm', 'typescript'] as const;
type EngineName = (typeof ENGINES)[number];

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError(`${text} (expected a whole number from 1)`);
  return value;
}

const program = new Command('bench')
  .option('--rounds <count>', 'how often each engine runs each case', positive, 5)
  .option('--time <ms>', 'how long one round of one case lasts', positive, 200)
  .option('--case <text>', 'only the cases whose name contains this')
  .parse();
const { rounds, time, case: only } = program.opts<{ rounds: number; time: number; case?: string }>();

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

interface Result {
  readonly medians: number[];
  readonly p99s: number[];
  collections: number;
}

/** One round: nanoseconds an operation, median and p99 over the samples. */
async function round(item: Case, run: () => void, result: Result): Promise<void> {
  const bench = new Bench({ time, warmupTime: time / 4, retainSamples: false });
  bench.add(item.name, run);
  await settle();
  const before = collections;
  const [task] = await bench.run();
  await settle();
  result.collections += collections - before;
  const measured = task?.result;
  if (measured === undefined || !('latency' in measured)) throw new Error(`${item.name}: no result`);
  const nanoseconds = 1e6 / item.repeat;
  result.medians.push(measured.latency.p50 * nanoseconds);
  result.p99s.push(measured.latency.p99 * nanoseconds);
}

/** Lets the observer report what was collected. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

async function main(): Promise<void> {
  for (const line of machineLines()) console.log(line);
  console.log(`median of ${rounds} rounds of ${time} ms, engines in turn; nanoseconds an operation`);
  const table = new Table({
    head: ['operation', 'wasm', 'p99', 'gc', 'typescript', 'p99', 'gc', 'typescript / wasm'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  const selected = cases.filter((item) => only === undefined || item.name.includes(only));
  if (selected.length === 0)
    throw new Error(`--case=${only} (expected part of: ${cases.map((c) => c.name).join('; ')})`);
  for (const item of selected) {
    const results = {} as Record<EngineName, Result>;
    const pools: PagePool[] = [];
    const runs = ENGINES.map((engine) => {
      const pool = PagePool.createSync({ ...item.options, engine });
      pools.push(pool);
      results[engine] = { medians: [], p99s: [], collections: 0 };
      return { engine, run: item.prepare(pool) };
    });
    for (let i = 0; i < rounds; i++) {
      for (const { engine, run } of i % 2 === 0 ? runs : [...runs].reverse()) await round(item, run, results[engine]);
    }
    const columns = ENGINES.flatMap((engine) => {
      const { medians, p99s, collections } = results[engine];
      return [median(medians).toFixed(1), median(p99s).toFixed(1), String(collections)];
    });
    const ratio = median(results.typescript.medians) / median(results.wasm.medians);
    table.push([item.name, ...columns, ratio.toFixed(2)]);
    for (const pool of pools) pool.destroy();
  }
  console.log(table.toString());
}

await main();
