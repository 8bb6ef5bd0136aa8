// A thread of the stress of deaths: churns until it is ended from outside, or told how to end itself.
//
// Runs in a worker, from the bundle: the public interface alone.

import { parentPort, workerData } from 'node:worker_threads';
import type { FragmentToken, PagePool as Pool, PoolShare } from 'pagepool';
import { createChurn } from './churn.js';

interface Setup {
  readonly entry: string;
  readonly share: PoolShare;
  readonly engine: 'wasm' | 'typescript';
  readonly seed: number;
  readonly counts: Int32Array;
}

const { entry, share, engine, seed, counts } = workerData as Setup;

void live();

async function live(): Promise<void> {
  const { PagePool } = (await import(entry)) as { PagePool: typeof Pool };
  const pool = PagePool.attach({ ...share, engine } as PoolShare, { label: `mortal ${seed}` });
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

  const ends: Readonly<Record<string, () => void>> = {
    exit: () => process.exit(0),
    throw: () => {
      throw new Error('on purpose');
    },
    reject: () => void Promise.reject(new Error('on purpose')),
  };

  parentPort?.on('message', (message: { token: FragmentToken; value: number; end?: string }) => {
    if (message.end !== undefined) ends[message.end]?.();
    else churn.adopt(message.token, message.value);
  });
  parentPort?.postMessage({ portId: pool.portId });

  function goOn(): void {
    churn.run();
    setImmediate(goOn);
  }
  goOn();
}
