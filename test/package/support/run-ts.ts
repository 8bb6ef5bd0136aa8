// Runs a TypeScript program of this repository as its scripts do.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What it printed; rejects where it ends badly. `args`: flags of Node, the program, and its arguments. */
export async function runTs(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/run-ts.mjs', ...args], { cwd: root });
  return stdout;
}
