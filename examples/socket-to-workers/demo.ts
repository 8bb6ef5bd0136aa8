// The demo: every variant receives the same file, first in small records and then in whole blocks, round by round.
//
// Each run is a process of its own, so that its processor time, collections and memory are its alone.

import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Arguments } from './arguments.js';
import { type Digest, digestOf, formatDigest } from './digest.js';
import { blockBytes, windowBytes } from './grid.js';
import { machineLines } from './machine.js';
import { type Progress, showProgress } from './progress.js';
import type { Job, Run, RunMessage } from './receiver.js';
import { cpuLineOf, tableOf } from './report.js';
import { type VariantName, variantNames } from './variants/variant.js';
import { faultsOf } from './verdict.js';

const warmups = 2;
/** Counted passes of a run: about 300 MB, less with small files. */
const passesFor = (fileBytes: number) => Math.min(8, Math.max(2, Math.round(3e8 / fileBytes)));

const legend =
  '\nMedians of the rounds. Processor time and collections are of one run, all threads of the receiving process together,\n' +
  'warming up not counted; pages new came from the provider, recycled were handed out again. x NAME: records/s against NAME,\n' +
  "the median of the rounds' ratios.";

/** Runs everything and prints it; the result is the exit code. */
export async function runDemo(options: Arguments): Promise<number> {
  const bytes = readFileSync(options.file);
  const passes = passesFor(bytes.length);
  for (const line of machineLines()) console.log(line);
  console.log(
    `file ${basename(options.file)}, ${bytes.length} bytes, sent ${passes} times a run after ${warmups} to warm up, by a process of its own; ` +
      `workers: ${options.workers}; rounds: ${options.rounds}; at most ${windowBytes / 1024 ** 2} MiB on the way`,
  );
  const expected = new Map<number, Digest>();
  for (const recordBytes of [options.record, blockBytes]) expected.set(recordBytes, digestOf(bytes, recordBytes));

  const sender = startRole('send', options.file);
  const port = await firstMessage<number>(sender);
  const progress = showProgress(
    options.rounds * expected.size * variantNames.length,
    bytes.length * (warmups + passes),
  );
  const faults: string[] = [];
  const tables: string[] = [];
  const runs: Run[] = [];
  try {
    for (const [recordBytes, digest] of expected) {
      const job = { port, recordBytes, workerCount: options.workers, warmups, passes };
      const all = await runRounds(job, options.rounds, digest, progress, faults);
      tables.push(titleOf(recordBytes, digest), tableOf(all), cpuLineOf(all));
      runs.push(...[...all.values()].flat());
    }
  } finally {
    progress.stop();
    sender.disconnect();
  }
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(runs));
  for (const text of tables) console.log(text);
  console.log(legend);
  for (const fault of faults) console.error(`FAILED ${fault}`);
  if (faults.length === 0) console.log("every digest is the file's; no page is missing");
  return faults.length === 0 ? 0 : 1;
}

/** Every variant once a round, beginning with another one each time. */
async function runRounds(
  job: Omit<Job, 'variant'>,
  rounds: number,
  expected: Digest,
  progress: Progress,
  faults: string[],
): Promise<Map<VariantName, Run[]>> {
  const all = new Map<VariantName, Run[]>(variantNames.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < variantNames.length; i++) {
      const variant = variantNames[(i + round) % variantNames.length] as VariantName;
      progress.begin(`${variant}, records of ${job.recordBytes} bytes, round ${round + 1}`);
      const run = await runOnce({ ...job, variant }, (count) => progress.bytes(count));
      const wrong = faultsOf(run, expected);
      faults.push(...wrong);
      all.get(variant)?.push(run);
      progress.end(lineOf(run, round, wrong.length === 0));
    }
  }
  return all;
}

function runOnce(job: Job, onBytes: (count: number) => void): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = startRole('receive', JSON.stringify(job));
    let run: Run | null = null;
    child.on('message', (message: RunMessage) => {
      if (message.type === 'progress') onBytes(message.bytes);
      else run = message.run;
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0 && run !== null) resolve(run);
      else reject(new Error(`the run of ${job.variant} ended without a result: ${signal ?? `exit code ${code}`}`));
    });
  });
}

/** This program again, in another role. */
function startRole(role: string, argument: string): ChildProcess {
  return fork(fileURLToPath(new URL('./main.js', import.meta.url)), ['--role', role, argument]);
}

function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the sending process ended with exit code ${code}`)));
  });
}

function lineOf(run: Run, round: number, isRight: boolean): string {
  const recordsPerSecond = Math.round(run.records / run.seconds).toLocaleString('en');
  const rate = `${recordsPerSecond} records/s  ${(run.bytes / run.seconds / 1e9).toFixed(2)} GB/s`;
  return `round ${round + 1}  ${run.recordBytes} B  ${run.variant.padEnd(13)}  ${rate}  ${isRight ? 'digest ok' : 'WRONG'}`;
}

function titleOf(recordBytes: number, digest: Digest): string {
  const what = recordBytes === blockBytes ? 'Whole reads of 64 KiB' : `Records of ${recordBytes} bytes`;
  return `\n${what}; digest of the file: ${formatDigest(digest)}`;
}
