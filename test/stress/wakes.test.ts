// Nobody waits for what is there, whoever gives up or dies: see wakes.ts. SEED=N repeats a run's choices, not how
// threads were scheduled; LONG=1 makes a million entries and 300 deaths of it, with each engine.

import { expect, test } from 'vitest';
import { chooseSeed } from '../support/ports.js';
import { soakWakes } from './wakes.js';

const seed = chooseSeed('wakes');
const size =
  process.env.LONG === '1' ? { entries: 1_000_000, kills: 300, rests: 100 } : { entries: 10_000, kills: 6, rests: 4 };

test.each(['wasm', 'typescript'] as const)('waits of all kinds, given up and killed, %s', async (engine) => {
  const startMs = performance.now();
  const entries = await soakWakes({ engine, ...size, seed });
  console.log(`wakes, ${engine}: ${entries} handed over in ${Math.round((performance.now() - startMs) / 1000)} s`);
  expect(entries).toBeGreaterThanOrEqual(size.entries);
});
