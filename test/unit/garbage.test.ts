// The number calls make no garbage: 10 million pairs of alloc and release, and the other number calls among them, cause
// no collection. What calls between threads make goes with the next scavenge: the old space gets none of it.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('../support/collect.mjs', import.meta.url));
const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;

/**
 * Optimised at once: with the compiler in threads of its own, how much is optimised when it counts would depend on the
 * machine.
 */
const AT_ONCE = '--no-concurrent-recompilation';
/** Never optimised: an object that one compiler finds superfluous is made by the others, and at first by all. */
const NEVER = '--no-opt';

/** Runs the pairs in a process of their own. */
async function collect(engine: string, pairs: number, compiler = AT_ONCE, env: Record<string, string> = {}) {
  const args = ['--expose-gc', compiler, program, entry, engine, String(pairs)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  return JSON.parse(stdout) as { collections: number; heapBytes: number; pairs: number };
}

const keeper = fileURLToPath(new URL('../support/keep.mjs', import.meta.url));

it('a call that is over is kept by none that came later', async () => {
  // The heap begins so large that nothing collects the old space: what is in it was promoted.
  const args = ['--expose-gc', '--initial-heap-size=1024', keeper, entry, '20000'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
  const { calls, keptBytes } = JSON.parse(stdout) as { calls: number; keptBytes: number };
  // Some KB in all. Tables of a Map, of which one kept the next, took 1,200 bytes of each call there.
  expect(keptBytes).toBeLessThan(100 * calls);
});

describe('the number calls', () => {
  it.each(['wasm', 'typescript'])(
    'of the %s engine cause no garbage collection in 10 million pairs',
    async (engine) => {
      const { collections, heapBytes, pairs } = await collect(engine, 10_000_000);
      expect(pairs).toBe(10_000_000);
      expect(collections).toBe(0);
      expect(heapBytes).toBeLessThan(1024 * 1024);
    },
  );

  it.each(['wasm', 'typescript'])('of the %s engine make no object before V8 optimises them', async (engine) => {
    const { collections, heapBytes, pairs } = await collect(engine, 1_000_000, NEVER);
    expect(collections).toBe(0);
    // An object of 16 bytes in one pair of 16 is a byte a pair. V8 takes its room by pieces of up to 256 KB, and counts
    // a piece whole: how many a process takes depends on what it has loaded, and not on the pairs.
    expect(heapBytes / pairs).toBeLessThan(0.5);
  });

  it('would be seen to make garbage if they did', async () => {
    expect((await collect('wasm', 4_000_000, AT_ONCE, { LITTER: '1' })).collections).toBeGreaterThan(0);
  });
});
