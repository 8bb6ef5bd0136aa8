// The stack ends inside a call, and the program catches that: the call has changed nothing.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

interface Outcome {
  readonly overflows: number;
  readonly calls: number;
  readonly faults: readonly string[];
}

/** What test/fault/overflow.mjs says. */
async function overflow(engine: string, warmRounds: number, stride: number, env: object = {}): Promise<Outcome> {
  const args = ['--stack-size=600', path('./overflow.mjs'), path('../../build'), engine, `${warmRounds}`, `${stride}`];
  const options = { env: { ...process.env, NODE_OPTIONS: '', ...env }, maxBuffer: 2 ** 26 };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return JSON.parse(stdout) as Outcome;
}

describe.each(['wasm', 'typescript'])('with the %s engine', (engine) => {
  // Functions that run for the first time are compiled where the stack ends; those that ran often have other frames.
  it.each([
    ['for the first time', 0],
    ['after 2,000 times', 2000],
  ])('every call at every depth, %s', async (_, warmRounds) => {
    const { overflows, calls, faults } = await overflow(engine, warmRounds, 13);
    expect(faults).toEqual([]);
    expect(calls).toBeGreaterThan(70);
    expect(overflows).toBeGreaterThan(2500); // four runs: more than 10,000
  });
});

it('where a realm has no Wasm no room is asked for: the calls are left half done, and it is seen', async () => {
  const { faults } = await overflow('typescript', 0, 1, { BARE: '1', CASE: 'send that drops the oldest' });
  expect(faults).not.toEqual([]);
});
