// Who may end a pool whose creator is gone, and who reaps what a dead watcher watched.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool, type PoolShare } from 'pagepool';
import { afterEach, describe, expect, it } from 'vitest';
import { loadAnotherRealm } from '../support/realm.js';
import { HUNG_MS, until } from '../support/waiting.js';

const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;
const program = new URL('./who-ends.mjs', import.meta.url);
const workers: Worker[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.terminate();
});

/** A worker that does what its role says; and the first thing that it says. */
async function start(role: string, more: object = {}): Promise<{ worker: Worker; said: Record<string, unknown> }> {
  const worker = new Worker(program, { workerData: { entry, role, ...more } });
  workers.push(worker);
  const [said] = (await once(worker, 'message')) as [Record<string, unknown>];
  return { worker, said };
}

const attached = (pool: PagePool): number[] =>
  pool
    .stats()
    .ports.filter(({ isClaimed }) => isClaimed)
    .map(({ portId }) => portId);

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  const options = { engine, pageCount: 16, maxPorts: 4 };

  it('a pool whose creator died is closed by another thread, and its report says so', async () => {
    const { worker, said } = await start('create', { options });
    const pool = PagePool.attach(said.share as PoolShare);
    pool.watch(worker);
    const page = pool.alloc();
    await worker.terminate();
    await until(() => attached(pool).length === 1);
    const closed = pool.close({ timeoutMs: HUNG_MS, ref: true });
    pool.release(page);
    expect(await closed).toMatchObject({ isDestroyed: true, isTakenOver: true, inflight: 0, holders: [] });
    expect(() => pool.alloc()).toThrow('destroyed');
  });

  it('while the creator lives an attached pool detaches, and nobody has taken anything over', async () => {
    const pool = PagePool.createSync(options);
    const { PagePool: Other } = await loadAnotherRealm();
    const other = Other.attach(pool.share());
    expect(await other.close()).toMatchObject({ isDestroyed: false, isTakenOver: false });
    const page = pool.alloc();
    pool.release(page);
    expect(await pool.close()).toMatchObject({ isDestroyed: true, isTakenOver: false });
  });

  it('of two that ask when the creator has left, one ends the pool and the other leaves it', async () => {
    const pool = PagePool.createSync(options);
    const one = (await loadAnotherRealm()).PagePool.attach(pool.share());
    const two = (await loadAnotherRealm()).PagePool.attach(pool.share());
    const held = two.alloc();
    pool.detach();
    const first = one.close({ timeoutMs: HUNG_MS, ref: true });
    two.release(held);
    expect(await two.close()).toMatchObject({ isTakenOver: false });
    expect(await first).toMatchObject({ isDestroyed: true, isTakenOver: true });
  });

  it('a worker whose watcher died is reaped with it', async () => {
    const pool = PagePool.createSync(options);
    const { worker, said } = await start('watch', { share: pool.share(), program: program.href });
    expect(said).toEqual({ inner: 2, outer: 1 });
    pool.watch(worker);
    expect(attached(pool)).toEqual([0, 1, 2]);
    await worker.terminate();
    await until(() => attached(pool).length === 1);
    expect(pool.audit()).toMatchObject({ balanced: true, pages: { used: 0 } });
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });

  it('what a thread watched that left is not reaped when it dies later', async () => {
    const pool = PagePool.createSync(options);
    const { worker, said } = await start('watch and leave', { share: pool.share(), program: program.href });
    expect(said).toEqual({ inner: 2, outer: 1 });
    pool.watch(worker);
    await worker.terminate();
    // Nobody watched it any more: its port stays, as the manual says.
    expect(attached(pool)).toEqual([0, 2]);
    pool.reap(2, { force: true });
    expect(pool.audit().reaped).toEqual([2]);
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });
});
