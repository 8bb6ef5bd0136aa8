// The installed package in every runtime under limits of addresses: unit/address-limit.test.ts has this one's.

import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runtimes } from '../../scripts/toolchain.mjs';
import { expectLimited } from '../support/limits.js';
import { consumer } from './support/consumer.js';
import { type Run, run } from './support/run.js';

/** GiB of addresses. Deno takes far more than Node for itself, and Bun more than Deno. */
const LIMITS_GIB = [5, 11, 15, 34, 50, 200];
const own = { name: `Node ${process.versions.node.split('.')[0]}`, program: process.execPath };

describe.each([own, ...runtimes])('$name', ({ name, program }) => {
  const isHere = existsSync(program);
  const prefix = name === 'Deno' ? ['run', '--allow-all', '--no-prompt'] : [];

  test.skipIf(!isHere)('makes pools under limits of addresses, or says which limit it is', async () => {
    const limits = [];
    for (const gib of LIMITS_GIB) {
      const under = (what: string): Promise<Run> => {
        const script = `ulimit -v ${gib * 2 ** 20}; exec "$0" "$@"`;
        return run('bash', ['-c', script, program, ...prefix, 'src/under-limit.js', what], consumer);
      };
      if ((await under('start')).end !== 0) continue; // the runtime itself lacks addresses
      const { stdout, stderr, end } = await under('pools');
      expect({ gib, stderr, end }).toEqual({ gib, stderr: '', end: 0 });
      expectLimited(JSON.parse(stdout));
      limits.push(gib);
    }
    expect(limits).toContain(LIMITS_GIB.at(-1));
  });
});
