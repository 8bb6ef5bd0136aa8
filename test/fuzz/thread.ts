// One thread of the fuzzed programs: runs its program in a worker, takes what others pass, and tells its last calls
// when it fails.

import { parentPort, workerData } from 'node:worker_threads';
import type { AttachOptions, PagePool as Pool, PoolShare } from 'pagepool';
import { type Program, startProgram } from './program.js';

interface Setup {
  readonly entry: string;
  readonly share: PoolShare;
  readonly leaks: NonNullable<AttachOptions['leaks']>;
  readonly seed: number;
  readonly steps: number;
  readonly pageStart: number;
}

const CHUNK = 100;

const { entry, share, leaks, seed, steps, pageStart } = workerData as Setup;
const { PagePool } = (await import(entry)) as { PagePool: typeof Pool };
/** pagepool/attach follows no leaks. */
const tracked: AttachOptions = 'create' in PagePool ? { leaks, onLeak: () => {} } : {};

const program: Program = startProgram({
  attach: () => PagePool.attach(share, { label: `seed ${seed}`, ...tracked }),
  seed,
  isCleared: share.options.zero === 'on-release',
  pageStart,
  pass: (message) => parentPort?.postMessage({ pass: message }),
});

/** What failed, with the calls that led to it; the thread goes no further. */
function fail(error: unknown): never {
  const calls = program.trace().join('\n  ');
  parentPort?.postMessage({ result: { failure: `${(error as Error).stack ?? error}\nlast calls:\n  ${calls}` } });
  process.exit(); // without detaching: whoever looks finds the pool as it was
}

const finished = new Promise<void>((resolve) => {
  parentPort?.on('message', (message) => {
    if ('finish' in message) return resolve();
    try {
      program.take(message);
    } catch (error) {
      fail(error);
    }
  });
});

try {
  for (let done = 0; done < steps; done += CHUNK) {
    await program.run(CHUNK);
    await new Promise((resolve) => setImmediate(resolve));
  }
  parentPort?.postMessage({ isDone: true });
  await finished;
  program.end();
} catch (error) {
  fail(error);
}
parentPort?.postMessage({ result: { counts: program.counts } });
parentPort?.close();
