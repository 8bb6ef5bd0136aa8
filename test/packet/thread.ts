// A thread of the test of packets: churns until it is told to stop, or ended from outside.
//
// Runs in a worker, from the bundle: the public interface alone.

import { parentPort, workerData } from 'node:worker_threads';
import type { PagePool as Pool, PoolShare } from 'pagepool';
import type * as packetEntry from 'pagepool/packet';
import { createChurn } from './churn.js';

interface Setup {
  readonly entry: string;
  readonly packetEntry: string;
  readonly share: PoolShare;
  readonly engine: 'wasm' | 'typescript';
  readonly sender: number;
  readonly seed: number;
  readonly counts: Int32Array;
  readonly stop: Int32Array;
  readonly isOrdered: boolean;
}

const setup = workerData as Setup;
const { PagePool } = (await import(setup.entry)) as { PagePool: typeof Pool };
const packets = (await import(setup.packetEntry)) as typeof packetEntry;
const pool = PagePool.attach({ ...setup.share, engine: setup.engine } as PoolShare);
const step = createChurn(pool, packets, setup);
parentPort?.postMessage({ portId: pool.portId });

while (Atomics.load(setup.stop, 0) === 0) {
  for (let i = 0; i < 2000 && Atomics.load(setup.stop, 0) === 0; i++) step();
  await new Promise((resolve) => setImmediate(resolve));
}
// What a thread has in its inbox goes to the end of its channel: first everybody stops.
Atomics.add(setup.stop, 1, 1);
while (Atomics.load(setup.stop, 0) === 1) await new Promise((resolve) => setImmediate(resolve));
pool.detach();
