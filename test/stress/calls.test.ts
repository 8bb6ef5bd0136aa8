// Calls under stress, a short time: see calls.ts. SEED=N repeats a run's choices.

import { expect, test } from 'vitest';
import { stressCalls } from './calls.js';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
const runs = [2, 8].flatMap((pageCount) => (['wasm', 'typescript'] as const).map((engine) => ({ pageCount, engine })));

test.each(runs)(
  '$pageCount pages, $engine: 3 threads ask, 8 calls in flight each, and never stand still',
  async (run) => {
    console.log(`calls: SEED=${seed}`);
    const { answered } = await stressCalls({ ...run, calls: 1500, kills: 0, seed });
    expect(answered).toBe(1500);
  },
);

test.each(runs)('$pageCount pages, $engine: servers are killed, and each call settles', async (run) => {
  console.log(`calls: SEED=${seed}`);
  const { answered, failed } = await stressCalls({ ...run, calls: 600, kills: 3, seed });
  expect(answered + failed).toBe(600);
});
