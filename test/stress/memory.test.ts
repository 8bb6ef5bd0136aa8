// The memory of closed pools: many one after the other, every page touched, and the process does not grow. And that of
// slabs behind a burst, which goes back where nobody does anything any more.
//
// In a process of its own. The control keeps the memories alive, and grows; keeping the closed objects alone does not.
// LONG=1 makes 200 of 64 MiB, and a burst of 2 GiB.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HUNG_MS } from '../support/waiting.js';

const program = fileURLToPath(new URL('../support/close-many.mjs', import.meta.url));
const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;
const MIB = 2 ** 20;
const isLong = process.env.LONG === '1';
const POOL_MIB = isLong ? 64 : 8;
const POOL_BYTES = POOL_MIB * MIB;
/** More than V8 has addresses for at a time: it takes 10 GiB of some 1 TiB for each Wasm memory, whatever its size. */
const WASM_POOLS = isLong ? 200 : 120;
/** Resident memory that is no pool's: what V8 and malloc keep. */
const NOISE_BYTES = 32 * MIB;

async function residentBytes(engine: string, count: number, kept: 'nothing' | 'objects' | 'memory'): Promise<number[]> {
  const args = ['--expose-gc', program, entry, engine, String(count), kept, String(POOL_MIB)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 5 * HUNG_MS });
  return JSON.parse(stdout) as number[];
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[values.length >>> 1] as number;
}

/** How much more memory the last fifth of the pools left resident than the first fifth, both by their medians. */
function growth(bytes: readonly number[]): number {
  const part = Math.floor(bytes.length / 5);
  return median(bytes.slice(-part)) - median(bytes.slice(0, part));
}

describe('closed pools', () => {
  it.each([
    ['wasm', WASM_POOLS, 'nothing'],
    ['typescript', 60, 'nothing'],
    ['wasm', 60, 'objects'],
  ] as const)(`%s, %i pools of ${POOL_MIB} MiB, %s kept: their memory is returned`, async (engine, count, kept) => {
    const bytes = await residentBytes(engine, count, kept);
    expect(bytes.length).toBe(count);
    // The last pool's memory may still be there, or not, at each reading.
    expect(growth(bytes)).toBeLessThan(1.5 * POOL_BYTES + NOISE_BYTES);
  });

  it('the control: with their memories kept, the process grows by all of them', async () => {
    const bytes = await residentBytes('wasm', 15, 'memory');
    expect(growth(bytes)).toBeGreaterThan(10 * POOL_BYTES);
  });
});

describe('after a burst of slabs', () => {
  it('resident memory falls to the low-water mark by idling alone, in every thread', async () => {
    const burstBytes = (isLong ? 2048 : 512) * MIB;
    const keepBytes = burstBytes / 8;
    const slabBytes = 64 * MIB; // malloc gives no buffer of it back to itself
    const burst = fileURLToPath(new URL('../support/burst.mjs', import.meta.url));
    const args = [burst, entry, ...[burstBytes, keepBytes, slabBytes].map(String)];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, NODE_OPTIONS: '' },
      timeout: 5 * HUNG_MS,
    });
    const { highBytes, isDestroyed, keptBytes, lowBytes } = JSON.parse(stdout) as Record<string, number>;
    console.log(
      `${(highBytes as number) / MIB} MiB resident at the height, ${(lowBytes as number) / MIB} after idling`,
    );
    expect(highBytes).toBeGreaterThan(burstBytes);
    expect(keptBytes).toBe(keepBytes);
    expect(lowBytes).toBeLessThan(keepBytes + NOISE_BYTES);
    expect(isDestroyed).toBe(true);
  });
});
