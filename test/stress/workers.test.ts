// Real threads: two to four workers stamp pages and fragments, hand them on by channels, bursts and tokens, check and release.
//
// Ends with everything drained: every reference explained, a balanced audit, no page missing, no content torn. Prints its seeds;
// SEED=n replays their choices (not the scheduling). About 20 s in all; LONG=1 takes ten times as long.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { describe, expect, it } from 'vitest';
import { chooseSeed } from '../support/ports.js';
import { program } from '../support/program.js';

type EngineName = 'wasm' | 'typescript';
const runs: readonly (readonly [name: string, engines: readonly EngineName[]])[] = [
  ['two threads, wasm', ['wasm', 'wasm']],
  ['four threads, wasm', ['wasm', 'wasm', 'wasm', 'wasm']],
  ['three threads, typescript', ['typescript', 'typescript', 'typescript']],
  ['four threads, both engines', ['wasm', 'typescript', 'wasm', 'typescript']],
];
const SECONDS = process.env.LONG === '1' ? 50 : 5;
const seed = chooseSeed('stress');
const entry = new URL('../../build/index.js', import.meta.url).href;
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('threads that hand pages on', () => {
  it.each(runs)('%s: nothing is torn, lost or there twice', async (_, engines) => {
    const threads = engines.length;
    const channels = Object.fromEntries(
      engines.map((_, i) => [`to${i}`, { capacity: 16 * (i + 1), batch: [1, 8, 32, 3][i] as number }]),
    );
    const pool = PagePool.createSync({ pageCount: 120, pageBytes: 1024, maxPorts: threads + 1, channels });
    const stop = new Int32Array(new SharedArrayBuffer(8));
    const url = new URL(
      `data:text/javascript;base64,${Buffer.from(await program(new URL('./thread.ts', import.meta.url))).toString('base64')}`,
    );
    const workers = engines.map(
      (engine, index) =>
        new Worker(url, {
          workerData: { entry, share: pool.share(), engine, index, threads, seed: seed + index, stop },
        }),
    );
    const totals: Record<string, number>[] = [];
    const failures: unknown[] = [];
    for (const worker of workers) {
      worker.on('message', ({ token, to, total }) => {
        if (total !== undefined) totals.push(total);
        else workers[to]?.postMessage(token);
      });
      worker.on('error', (error) => failures.push(error));
    }
    const exits = workers.map((worker) => once(worker, 'exit').catch(() => {}));
    const end = Date.now() + SECONDS * 1000;
    while (Date.now() < end && failures.length === 0) await later(100);
    Atomics.store(stop, 0, 1);
    while (Atomics.load(stop, 1) < threads && failures.length === 0) await later(10);
    await later(100); // the last tokens are on their way
    Atomics.store(stop, 0, 2);
    await Promise.race([Promise.all(exits), later(10_000)]);
    for (const worker of workers) await worker.terminate();
    expect(failures).toEqual([]);
    expect(totals.length).toBe(threads);
    pool.reclaimTokens(0); // one whose adopter was gone already
    const sum = (name: string) => totals.reduce((all, total) => all + (total[name] as number), 0);
    console.log(
      `${threads} threads: ${JSON.stringify(Object.fromEntries(Object.keys(totals[0] ?? {}).map((k) => [k, sum(k)])))}`,
    );
    expect(sum('torn')).toBe(0);
    expect(sum('sent')).toBe(sum('received'));
    expect(sum('allocated') + sum('retained')).toBe(sum('released') + sum('lent') - sum('adopted'));
    expect(sum('released')).toBeGreaterThan(1000 * SECONDS);
    const audit = pool.audit();
    expect(audit.errors).toEqual([]);
    expect(audit).toMatchObject({
      balanced: true,
      exact: true,
      pages: { used: 0, pinned: 0 },
      references: { ledgers: 0, channels: 0, tokens: 0 },
    });
    const { pages, inflight, rejected } = pool.stats();
    expect(inflight).toBe(pages.cached + pages.ring);
    expect(rejected).toBe(0);
    pool.trim();
    expect(pool.stats()).toMatchObject({ inflight: 0, pages: { provider: 120 } });
    expect(await pool.close({ timeoutMs: 5000 })).toMatchObject({ isDestroyed: true });
  });
});
