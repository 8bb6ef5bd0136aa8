// One side of a litmus shape, in a worker: attaches, waits until all sides are ready, runs, and says what it saw.

import { parentPort, workerData } from 'node:worker_threads';
import type { PagePool as Pool, PoolShare } from 'pagepool';
import { giveWay } from '../support/spin.js';
import { publication } from './publication.js';
import { references } from './references.js';
import type { Context, Seen } from './shape.js';
import { waits } from './waits.js';

interface Setup {
  readonly entry: string;
  readonly share: PoolShare;
  readonly shape: string;
  readonly side: number;
  readonly sides: number;
  readonly rounds: number;
  readonly seed: number;
  readonly words: Int32Array;
  /** Sides that are ready, and whether one failed. */
  readonly crew: Int32Array;
}

const READY = 0;
const FAILED = 1;

const { entry, share, shape, side, sides, rounds, seed, words, crew } = workerData as Setup;
const { PagePool } = (await import(entry)) as { PagePool: typeof Pool };
const pool = PagePool.attach(share, { label: `side ${side}` });

let state = (seed + side) >>> 0;
function random(limit: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % limit;
}

let looks = 0;
function isStopped(): boolean {
  return (++looks & 0xff) === 0 && Atomics.load(crew, FAILED) !== 0;
}

// It is as long from the start as the pages of a shape need, which are few.
const memory = new Uint32Array('buffer' in share.memory ? share.memory.buffer : share.memory);
const context: Context = { pool, side, rounds, words, memory, random, isStopped };
const run = { ...publication, ...references, ...waits }[shape]?.[side];
Atomics.add(crew, READY, 1);
for (let waited = 0; Atomics.load(crew, READY) < sides; waited++) giveWay(waited);
let seen: Seen;
try {
  seen = (await run?.(context)) as Seen;
} catch (error) {
  seen = { forbidden: [String((error as Error).stack ?? error)], counts: {} };
}
if (seen.forbidden.length > 0) Atomics.store(crew, FAILED, 1);
pool.detach({ release: true });
parentPort?.postMessage({ result: { ...seen, forbidden: seen.forbidden.slice(0, 5) } });
parentPort?.close();
