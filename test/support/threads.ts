// Real threads of the tests: workers of one program, what they say at their end, and what fails in them.
//
// A program finds `entry`, the package's bundle, in its workerData and posts `{ result }` when it is done. Every other
// thread gets pagepool/attach in its place, since what attaches does the same with either: PAGEPOOL_THREADS=attach or
// whole gives all of them the one. Words that
// both sides spin on are in shared memory of the test's own, never in the pool's.

import { Worker } from 'node:worker_threads';
import { program } from './program.js';

/** The package's bundle with both engines, for `await import(entry)`. */
export const entry: string = new URL('./whole-entry.mjs', import.meta.url).href;

/** What every thread needs, under the name of the whole package. */
const attachEntry: string = new URL('./attach-entry.mjs', import.meta.url).href;

/** What the thread of that number imports, where it only attaches. */
export function entryOf(index: number): string {
  const kind = process.env.PAGEPOOL_THREADS ?? (index % 2 === 0 ? 'attach' : 'whole');
  if (kind !== 'attach' && kind !== 'whole') throw new Error(`PAGEPOOL_THREADS=${kind} (expected attach, or whole)`);
  return kind === 'attach' ? attachEntry : entry;
}

/** Workers of one test. */
export interface Crew<Result> {
  readonly workers: readonly Worker[];
  /** What each posted as its result, in order, when all have. Rejects with the first error of any. */
  results(): Promise<Result[]>;
  /** Ends all that still run. */
  end(): Promise<void>;
}

/** Starts a worker of the program for each of the data, which may name an `entry` of its own. */
export async function startThreads<Result = unknown>(file: URL, data: readonly object[]): Promise<Crew<Result>> {
  const url = new URL(`data:text/javascript;base64,${Buffer.from(await program(file)).toString('base64')}`);
  const workers = data.map((each, index) => new Worker(url, { workerData: { entry: entryOf(index), ...each } }));
  const results = workers.map(
    (worker) =>
      new Promise<Result>((resolve, reject) => {
        worker.on('message', (message) => {
          if ('result' in message) resolve(message.result);
        });
        worker.on('error', reject);
        worker.on('exit', (code) => reject(new Error(`a thread ended with code ${code} and said no result`)));
      }),
  );
  // Asked for later, or never: a thread that is ended on purpose has no result.
  for (const result of results) result.catch(() => {});
  return {
    workers,
    results: () => Promise.all(results),
    end: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
