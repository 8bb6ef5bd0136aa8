// A soak of some minutes: three workers with small heaps do everything that threads do with a pool, and sometimes block
// their event loops. Resident memory stays flat, the statistics add up, and the audit is balanced.
//
// A trial: with the TypeScript engine and slabs resident memory grew by 40 MiB from 175 in the second half of 150,000
// turns, and nobody knows yet of what. With the Wasm engine it grew by 7 of 8 MiB that are allowed.
//
// Its length is a number of turns, so nothing depends on the machine's speed. SEED=n replays the choices (not the
// scheduling), TURNS=n makes it shorter or longer.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { chooseSeed } from '../support/ports.js';
import { program } from '../support/program.js';
import { QUIET } from './quiet.js';
import type { Soaked } from './soak.js';

const TURNS = Number(process.env.TURNS ?? 150_000);
const MIB = 2 ** 20;
const build = new URL('../../build/', import.meta.url).href;
const seed = chooseSeed('soak');

async function soak(engine: string, provider: string): Promise<Soaked> {
  const folder = mkdtempSync(join(tmpdir(), 'pagepool-soak-'));
  try {
    const file = join(folder, 'soak.mjs');
    writeFileSync(file, await program(new URL('./soak.ts', import.meta.url)));
    const args = ['--expose-gc', '--max-old-space-size=64', file, build, engine, provider];
    const { stdout } = await promisify(execFile)(process.execPath, [...args, String(seed % 2 ** 30), String(TURNS)], {
      maxBuffer: 64 * MIB,
    });
    return JSON.parse(stdout) as Soaked;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[values.length >>> 1] as number;
}

/** Sums of all ports, by the names that the pool's own sums have. */
function summed(stats: Soaked['stats'], part: 'alloc' | 'recycle'): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const port of stats.ports)
    for (const [name, count] of Object.entries(port[part])) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

describe('a soak', () => {
  it.each([
    ['wasm', 'own'],
    ['typescript', 'slab'],
  ])('%s engine, %s pages: memory is flat, sums are right, the audit is balanced', async (engine, provider) => {
    const { closed, done, failures, quiet, residentBytes, stats } = await soak(engine, provider);
    expect(failures).toEqual([]);
    expect(quiet).toMatchObject(QUIET);
    const half = residentBytes.length >>> 1;
    const warm = residentBytes.slice(half >>> 2); // the first ones fill heaps and caches
    const [before, after] = [warm.slice(0, warm.length >>> 1), warm.slice(warm.length >>> 1)].map(median);
    console.log(`${engine}, ${provider}: ${JSON.stringify(done)}, ${before} bytes resident, then ${after}`);
    for (const name of ['packets', 'waits', 'blocked', 'asked', 'reports', 'attached'])
      expect([name, (done[name] as number) > TURNS / 1000]).toEqual([name, true]);
    expect((after as number) - (before as number)).toBeLessThan(8 * MIB);
    expect(stats.alloc).toEqual(summed(stats, 'alloc'));
    expect(stats.recycle).toEqual(summed(stats, 'recycle'));
    expect([(stats.hold - stats.release) >>> 0, stats.inflight]).toEqual([0, 0]);
    for (const { dropped, pending, received, sent } of stats.channels)
      expect({ pending, sum: (received + dropped) >>> 0 }).toEqual({ pending: 0, sum: sent });
    const [{ answered, asked, cancelled, failed, serving, waiting } = {} as Soaked['stats']['calls'][0]] = stats.calls;
    expect({ waiting, serving, sum: answered + failed + cancelled }).toEqual({ waiting: 0, serving: 0, sum: asked });
    expect(closed).toMatchObject({ isDestroyed: true, inflight: 0, holders: [] });
  });
});
