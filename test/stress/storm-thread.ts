// A thread of the storms of deaths: churns, starts a thread of its own where it is told to, and ends in any of the ways
// in which threads end.
//
// Runs in a worker, from the bundle: the public interface alone.

import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { FragmentToken, PagePool as Pool, PoolShare } from 'pagepool';
import { createChurn } from './churn.js';
import { type End, LIMITS, type Setup, WORD } from './storm.js';

/** Turns of work after which a thread ends the one that it started, and starts another. */
const CHILD_TURNS = 40;

const setup = workerData as Setup;
const { entry, source, share, engine, seed, counts, isParent } = setup;

void live();

async function live(): Promise<void> {
  const { PagePool } = (await import(entry)) as { PagePool: typeof Pool };
  const pool = PagePool.attach({ ...share, engine } as PoolShare, { label: `storm ${seed}` });
  const churn = createChurn({
    pool,
    seed,
    counts,
    lend: (token, value) => parentPort?.postMessage({ token, value }),
    fail: (failure) => {
      parentPort?.postMessage({ failure });
      process.exit(1);
    },
  });

  /** Goes on until the stack is full, wherever that is. */
  function dive(): never {
    churn.step();
    return dive();
  }

  /** Goes on until the heap is full, wherever that is. */
  function fill(): never {
    for (let litter = {}; ; ) {
      churn.step();
      litter = { litter, more: new Array(64).fill(0) };
    }
  }

  const ends: Readonly<Record<End, () => void>> = {
    exit: () => process.exit(0),
    throw: () => {
      throw new Error('on purpose');
    },
    reject: () => void Promise.reject(new Error('on purpose')),
    overflow: dive,
    memory: fill,
  };

  parentPort?.on('message', (message: { token: FragmentToken; value: number; end?: End }) => {
    if (message.end !== undefined) ends[message.end]();
    else churn.adopt(message.token, message.value);
  });

  let child: Worker | undefined;

  /** Starts a thread of this one's own. Whatever it says goes on to the thread that started this one. */
  function start(number: number): void {
    child = new Worker(new URL(source), {
      workerData: { ...setup, seed: (seed ^ number) >>> 0, isParent: false },
      resourceLimits: LIMITS,
    });
    pool.watch(child);
    child.on('message', (message) => parentPort?.postMessage(message));
    child.on('error', ({ stack }) => parentPort?.postMessage({ failure: stack }));
    child.on('exit', () => {
      Atomics.add(counts, WORD.children, 1);
      start(number + 1);
    });
  }

  Atomics.add(counts, WORD.attached, 1);
  parentPort?.postMessage({ isAttached: true });
  if (isParent) start(1);
  for (let turn = 1; ; turn++) {
    churn.run();
    Atomics.add(counts, WORD.turns, 1);
    if (turn % CHILD_TURNS === 0) {
      void child?.terminate();
      child = undefined; // until it has ended
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
