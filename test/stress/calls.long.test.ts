// A million calls, and a thousand deaths of servers: see calls.ts. SEED=N repeats a run's choices.

import { expect, test } from 'vitest';
import { stressCalls } from './calls.js';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
const CALLS = 250_000;

test.each([2, 8].flatMap((pageCount) => (['wasm', 'typescript'] as const).map((engine) => ({ pageCount, engine }))))(
  '$pageCount pages, $engine: a quarter of a million calls',
  async (run) => {
    const calls = CALLS - (CALLS % 3);
    console.log(`calls: SEED=${seed}`);
    expect((await stressCalls({ ...run, calls, kills: 0, seed })).answered).toBe(calls);
  },
);

test.each(['wasm', 'typescript'] as const)('a thousand servers are killed, %s', async (engine) => {
  console.log(`calls: SEED=${seed}`);
  const { answered, failed } = await stressCalls({ engine, pageCount: 8, calls: 99_000, kills: 1000, seed });
  expect(answered + failed).toBe(99_000);
});
