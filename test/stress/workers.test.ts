// Real threads: two to four workers stamp pages and fragments, hand them on by channels, bursts and tokens, check and
// release.
//
// Ends with everything drained: every reference explained, a balanced audit, no page missing, no content torn. Prints
// its seeds; SEED=n replays their choices (not the scheduling). LONG=1 hands on forty times as much.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { describe, expect, it } from 'vitest';
import { chooseSeed } from '../support/ports.js';
import { program } from '../support/program.js';
import { entryOf } from '../support/threads.js';
import { HUNG_MS, orHung, until } from '../support/waiting.js';
import { WORD } from './words.js';

type EngineName = 'wasm' | 'typescript';
const runs: readonly (readonly [name: string, engines: readonly EngineName[]])[] = [
  ['two threads, wasm', ['wasm', 'wasm']],
  ['four threads, wasm', ['wasm', 'wasm', 'wasm', 'wasm']],
  ['three threads, typescript', ['typescript', 'typescript', 'typescript']],
  ['four threads, both engines', ['wasm', 'typescript', 'wasm', 'typescript']],
];
/** References that all threads of a row release before they stop. */
const RELEASED = process.env.LONG === '1' ? 40_000_000 : 1_000_000;
const seed = chooseSeed('stress');

describe('threads that hand pages on', () => {
  it.each(runs)('%s: nothing is torn, lost or there twice', async (_, engines) => {
    const threads = engines.length;
    const channels = Object.fromEntries(
      engines.map((_, i) => [`to${i}`, { capacity: 16 * (i + 1), batch: [1, 8, 32, 3][i] as number }]),
    );
    const pool = PagePool.createSync({ pageCount: 120, pageBytes: 1024, maxPorts: threads + 1, channels });
    const words = new Int32Array(new SharedArrayBuffer(8));
    const url = new URL(
      `data:text/javascript;base64,${Buffer.from(await program(new URL('./thread.ts', import.meta.url))).toString('base64')}`,
    );
    const workers = engines.map(
      (engine, index) =>
        new Worker(url, {
          workerData: { entry: entryOf(index), share: pool.share(), engine, index, threads, seed: seed + index, words },
        }),
    );
    const totals: Record<string, number>[] = [];
    const failures: unknown[] = [];
    let stopped = 0;
    for (const worker of workers) {
      worker.on('message', ({ token, to, total, hasStopped }) => {
        if (total !== undefined) totals.push(total);
        else if (hasStopped) stopped++;
        else workers[to]?.postMessage({ token });
      });
      worker.on('error', (error) => failures.push(error));
    }
    const exits = workers.map((worker) => once(worker, 'exit').catch(() => {}));
    const hasFailed = (): boolean => failures.length > 0;
    const released = (): number => Atomics.load(words, WORD.released);
    await until(() => released() >= RELEASED || hasFailed(), released);
    Atomics.store(words, WORD.stop, 1);
    await until(() => stopped === threads || hasFailed());
    // Behind every token that was lent.
    for (const worker of workers) worker.postMessage({ isLast: true });
    if (!hasFailed()) await orHung(Promise.all(exits), 'a thread does not end');
    for (const worker of workers) await worker.terminate();
    expect(failures).toEqual([]);
    expect(totals.length).toBe(threads);
    expect(pool.reclaimTokens(0)).toBe(0);
    const sum = (name: string) => totals.reduce((all, total) => all + (total[name] as number), 0);
    console.log(
      `${threads} threads: ${JSON.stringify(Object.fromEntries(Object.keys(totals[0] ?? {}).map((k) => [k, sum(k)])))}`,
    );
    expect(sum('torn')).toBe(0);
    expect(sum('sent')).toBe(sum('received'));
    expect(sum('allocated') + sum('retained')).toBe(sum('released') + sum('lent') - sum('adopted'));
    expect(sum('released')).toBeGreaterThanOrEqual(RELEASED);
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
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });
});
