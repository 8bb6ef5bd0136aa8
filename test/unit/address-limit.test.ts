// A process whose addresses are limited: pools take the next lesser way, or say which limit it is; the process lives.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { casesOfRun } from '../support/lane.js';
import { expectLimited } from '../support/limits.js';

const program = fileURLToPath(new URL('../package/programs/under-limit.js', import.meta.url));
const build = new URL('../../build/', import.meta.url).href;

/** What a program prints under that limit. */
async function under<Found>(gib: number, ...args: string[]): Promise<Found> {
  const script = `ulimit -v ${gib * 2 ** 20}; exec "$0" "$@"`;
  const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath, ...args]);
  return JSON.parse(stdout) as Found;
}

/** Asks for a pool in a buffer that leaves half of what the platform needs for itself, and for one that leaves it. */
const NEAR_THE_LIMIT = `
  import { readFileSync } from 'node:fs';
  import { PagePool } from '${build}index.js';
  const limit = Number(/^Max address space\\s+(\\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))[1]);
  const pageBytes = 65536;
  const ask = (toLeaveBytes) => {
    const taken = 4096 * Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[0]);
    const pageCount = Math.floor((limit - taken - toLeaveBytes) / pageBytes);
    try {
      const pool = PagePool.createSync({ engine: 'typescript', pageBytes, pageCount, maxPorts: 1 });
      pool.destroy();
      return { mode: pool.mode };
    } catch ({ code, message, cause }) {
      return { code, isNamed: /ulimit -v leaves \\d+ bytes/.test(message), cause: cause?.message ?? message };
    }
  };
  console.log(JSON.stringify([ask(2 ** 28), ask(2 ** 30)]));`;

describe.runIf(process.platform === 'linux')('pools in a process with limited addresses', () => {
  it.each(casesOfRun({ short: [5, 12, 30], long: [8, 11, 15, 22] }))('of %i GiB', async (gib) => {
    expectLimited(await under(gib, program, 'pools', build));
  });

  it('a buffer that would leave the platform too little is not asked for', async () => {
    expect(await under(4, '--input-type=module', '-e', NEAR_THE_LIMIT)).toEqual([
      {
        code: 'POOL_ERR_MEMORY_LIMIT',
        isNamed: true,
        cause: expect.stringMatching(/^\d+ bytes of addresses \(expected fewer, under this limit\)$/),
      },
      { mode: 'shared' },
    ]);
  });
});
