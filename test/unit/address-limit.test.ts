// A process whose addresses are limited: pools take the next lesser way, or say which limit it is; the process lives.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, it } from 'vitest';
import { casesOfRun } from '../support/lane.js';
import { expectLimited } from '../support/limits.js';

const program = fileURLToPath(new URL('../package/programs/under-limit.js', import.meta.url));
const build = new URL('../../build/', import.meta.url).href;

/** What pools of each kind gave under that limit. */
async function under(gib: number): Promise<Record<string, string>> {
  const script = `ulimit -v ${gib * 2 ** 20}; exec "$0" "$@"`;
  const args = ['-c', script, process.execPath, program, 'pools', build];
  const { stdout } = await promisify(execFile)('bash', args);
  return JSON.parse(stdout) as Record<string, string>;
}

describe.runIf(process.platform === 'linux')('pools in a process with limited addresses', () => {
  it.each(casesOfRun({ short: [5, 12, 30], long: [8, 11, 15, 22] }))('of %i GiB', async (gib) => {
    expectLimited(await under(gib));
  });
});
