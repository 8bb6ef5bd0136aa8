// Runs a litmus shape on real threads with the release binary and the TypeScript engine, alone and against each other.
//
// Prints what was done and its seed; SEED=n replays the choices (not the scheduling). LONG=1 makes it eight times as
// long.

import { PagePool, type PoolOptions } from 'pagepool';
import { expect } from 'vitest';
import { chooseSeed } from '../support/ports.js';
import { startThreads } from '../support/threads.js';
import type { Seen } from './shape.js';

type EngineName = 'wasm' | 'typescript';

/** Which engine each side has: its number modulo their number. */
export const ENGINES: readonly (readonly [name: string, engines: readonly EngineName[]])[] = [
  ['wasm', ['wasm']],
  ['typescript', ['typescript']],
  ['wasm against typescript', ['wasm', 'typescript']],
];

const LONGER = process.env.LONG === '1' ? 8 : 1;
const file = new URL('./thread.ts', import.meta.url);

/** What was seen by all sides, and the pool afterwards: quiet, nothing held. */
export interface Outcome {
  readonly rounds: number;
  readonly sum: (count: string) => number;
  readonly pool: PagePool;
}

/** Runs the shape; throws with what was seen when an outcome was forbidden. Every page must be home then. */
export async function runShape(
  shape: string,
  sides: number,
  engines: readonly EngineName[],
  roundsEach: number,
  options: PoolOptions,
): Promise<Outcome> {
  const rounds = roundsEach * LONGER;
  const seed = chooseSeed(`${shape}, ${engines.join(' against ')}, ${rounds} rounds`);
  const pool = PagePool.createSync({ maxPorts: sides + 1, pageBytes: 1024, unitBytes: 64, ...options });
  const words = new Int32Array(new SharedArrayBuffer(64));
  const crew = new Int32Array(new SharedArrayBuffer(8));
  const data = Array.from({ length: sides }, (_, side) => {
    const share = { ...pool.share(), engine: engines[side % engines.length] };
    return { share, shape, side, sides, rounds, seed, words, crew };
  });
  const threads = await startThreads<Seen>(file, data);
  try {
    const seen = await threads.results();
    expect(seen.flatMap(({ forbidden }) => forbidden)).toEqual([]);
    pool.channel('c').close();
    while (pool.channel('c').receive()?.release() === undefined && pool.channel('c').pending > 0);
    const audit = pool.audit();
    expect(audit.errors).toEqual([]);
    expect(audit).toMatchObject({ exact: true, pages: { used: 0, pinned: 0 } });
    pool.trim();
    expect(pool.stats().pages.provider).toBe(pool.pageCount);
    const sum = (count: string): number => seen.reduce((total, { counts }) => total + (counts[count] ?? 0), 0);
    return { rounds, sum, pool };
  } finally {
    await threads.end();
  }
}
