// Runs test/fault/overflow.mjs, which makes calls where the stack ends.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** What the program says. */
export interface Outcome {
  readonly overflows: number;
  readonly calls: number;
  readonly faults: readonly string[];
}

/** Every call with that engine, warm or not, at each `stride`-th depth, in that Node. */
export async function overflow(
  program: string,
  engine: string,
  warmRounds: number,
  stride: number,
  env: object = {},
): Promise<Outcome> {
  const script = path('../fault/overflow.mjs');
  const args = ['--stack-size=600', script, path('../../build'), engine, `${warmRounds}`, `${stride}`];
  const options = { env: { ...process.env, NODE_OPTIONS: '', ...env }, maxBuffer: 2 ** 26 };
  const { stdout } = await promisify(execFile)(program, args, options);
  return JSON.parse(stdout) as Outcome;
}
