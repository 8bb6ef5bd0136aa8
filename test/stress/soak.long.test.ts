// A soak of some minutes: three workers with small heaps do everything that threads do with a pool, and sometimes block
// their event loops. Resident memory stays flat, the statistics add up, and the audit is balanced.
//
// Each sample is taken when all threads have collected their garbage lately: what the pool or the program keeps grows
// then. Without that a thread's heap grows to what it may have, and keeps slabs that were dropped.
//
// Its length is a number of turns, so nothing depends on the machine's speed: two or three minutes on a quiet one,
// since the whole long run has half an hour. SEED=n replays the choices (not the scheduling), TURNS=n makes it shorter
// or longer.

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

interface Growth {
  readonly before: number;
  readonly after: number;
}

/** The third quarter of the samples, and the last one: the first half fills heaps and caches. */
function growth(bytes: readonly number[]): Growth {
  const quarter = bytes.length >>> 2;
  return { before: median(bytes.slice(-2 * quarter, -quarter)), after: median(bytes.slice(-quarter)) };
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
    const found = await soak(engine, provider);
    const { bufferBytes, closed, done, failures, heapBytes, quiet, residentBytes, stats } = found;
    expect(failures).toEqual([]);
    expect(quiet).toMatchObject(QUIET);
    const grown = { resident: growth(residentBytes), heap: growth(heapBytes), buffers: growth(bufferBytes) };
    console.log(`${engine}, ${provider}: ${JSON.stringify({ done, grown })}`);
    for (const name of ['packets', 'waits', 'blocked', 'asked', 'reports', 'attached'])
      expect([name, (done[name] as number) > TURNS / 1000]).toEqual([name, true]);
    if (provider === 'slab') expect(done.dropped).toBeGreaterThan(TURNS / 1000);
    expect(grown.resident.after - grown.resident.before).toBeLessThan(8 * MIB);
    expect(grown.heap.after - grown.heap.before).toBeLessThan(2 * MIB);
    expect(grown.buffers.after - grown.buffers.before).toBeLessThan(MIB);
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
