// Nobody waits for what is there, whoever gives up or dies: see wakes.ts. SEED=n repeats a run's choices, not how
// threads were scheduled; ENTRIES=1000000 makes a million, and 600 deaths.

import { expect, test } from 'vitest';
import { chooseSeed } from '../support/ports.js';
import { soakWakes } from './wakes.js';

const seed = chooseSeed('wakes');
const entries = Number(process.env.ENTRIES ?? (process.env.LONG === '1' ? 100_000 : 10_000));
const size = { entries, kills: Math.round(entries * 0.0006), rests: Math.ceil(entries / 5000) };

test.each(['wasm', 'typescript'] as const)('waits of all kinds, given up and killed, %s', async (engine) => {
  const startMs = performance.now();
  const handed = await soakWakes({ engine, ...size, seed });
  console.log(`wakes, ${engine}: ${handed} handed over in ${Math.round((performance.now() - startMs) / 1000)} s`);
  expect(handed).toBeGreaterThanOrEqual(entries);
});
