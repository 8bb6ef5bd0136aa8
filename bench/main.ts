// npm run bench [-- --rounds N --time MS --case TEXT]: each case on both engines, in turn, in one run.
//
// Rounds interleave the engines, each in a thread of its own, so that a drift of the machine meets both; reported is the
// median of the rounds. Garbage collections are counted while a case runs: the measuring itself makes some. Losses are
// reported as they come: a ratio below 1 is a loss of the Wasm engine.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { machineLines } from '../examples/socket-to-workers/machine.js';
import { cases } from './cases.js';
import type { Job, Round } from './engine-worker.js';

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
  .option('--case <text>', 'only the cases whose name contains this', '')
  .parse();
const options = program.opts<{ rounds: number; time: number; case: string }>();

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

async function ask(worker: Worker, job: Job): Promise<Round> {
  const answer = once(worker, 'message');
  worker.postMessage(job);
  return (await answer)[0] as Round;
}

async function main(): Promise<void> {
  const selected = [...cases.keys()].filter((index) => cases[index]?.name.includes(options.case));
  if (selected.length === 0) {
    program.error(`--case=${options.case} (expected part of: ${cases.map(({ name }) => name).join('; ')})`);
  }
  for (const line of machineLines()) console.log(line);
  console.log(`median of ${options.rounds} rounds of ${options.time} ms, engines in turn; nanoseconds an operation`);
  const workers = ENGINES.map(
    (engine) => new Worker(new URL('./engine-worker.js', import.meta.url), { workerData: { engine } }),
  );
  const table = new Table({
    head: ['operation', 'wasm', 'p99', 'gc', 'typescript', 'p99', 'gc', 'typescript / wasm'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const index of selected) {
    const rounds: Record<EngineName, Round[]> = { wasm: [], typescript: [] };
    for (let i = 0; i < options.rounds; i++) {
      for (const at of i % 2 === 0 ? [0, 1] : [1, 0]) {
        const worker = workers[at] as Worker;
        rounds[ENGINES[at] as EngineName].push(await ask(worker, { index, timeMs: options.time }));
      }
    }
    const columns = ENGINES.flatMap((engine) => [
      median(rounds[engine].map((round) => round.median)).toFixed(1),
      median(rounds[engine].map((round) => round.p99)).toFixed(1),
      String(rounds[engine].reduce((sum, round) => sum + round.collections, 0)),
    ]);
    const ratio = Number(columns[3]) / Number(columns[0]);
    table.push([cases[index]?.name, ...columns, ratio.toFixed(2)]);
  }
  console.log(table.toString());
  await Promise.all(workers.map((worker) => worker.terminate()));
}

await main();
