// A process whose addresses are limited: pools take the next lesser way, or say which limit it is; the process lives.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('../support/under-limit.mjs', import.meta.url));
const build = new URL('../../build/', import.meta.url).href;

/** What pools of each kind gave under that limit: their engine and pages, or a code. */
async function under(gib: number): Promise<string[]> {
  const script = `ulimit -v ${gib * 2 ** 20}; exec "$0" "$@"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, program, build]);
  return JSON.parse(stdout) as string[];
}

describe.runIf(process.platform === 'linux')('pools in a process with limited addresses', () => {
  it.each([5, 8, 11, 12, 15, 30])('of %i GiB', async (gib) => {
    const [auto, typescript, slab, large, wasm] = await under(gib);
    expect(auto).toMatch(/^(wasm|typescript) 64$/);
    expect(typescript).toBe('typescript 64');
    expect(slab).toMatch(/^(wasm|typescript) 64$/);
    expect(large).toMatch(/^(wasm|typescript) \d{2,}$/); // then it was empty, and the process went on
    expect(wasm).toMatch(/^(wasm 64|POOL_ERR_MEMORY_LIMIT: .*ulimit -v.*)$/);
  });
});
