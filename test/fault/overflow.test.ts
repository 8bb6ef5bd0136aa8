// The stack ends inside a call, and the program catches that: the call has changed nothing.

import { describe, expect, it } from 'vitest';
import { overflow } from '../support/overflow.js';

describe.each(['wasm', 'typescript'])('with the %s engine', (engine) => {
  // Functions that run for the first time are compiled where the stack ends; those that ran often have other frames.
  it.each([
    ['for the first time', 0],
    ['after 2,000 times', 2000],
  ])('every call at every depth, %s', async (_, warmRounds) => {
    const { overflows, calls, faults } = await overflow(process.execPath, engine, warmRounds, 13);
    expect(faults).toEqual([]);
    expect(calls).toBeGreaterThan(70);
    expect(overflows).toBeGreaterThan(2500); // four runs: more than 10,000
  });
});

it('where a realm has no Wasm no room is asked for: the calls are left half done, and it is seen', async () => {
  const { faults } = await overflow(process.execPath, 'typescript', 0, 1, {
    BARE: '1',
    CASE: 'send that drops the oldest',
  });
  expect(faults).not.toEqual([]);
});
