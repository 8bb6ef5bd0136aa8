// Owners that are gone, and pools that take each other's place: providers across threads and pools.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type MemoryProvider, PagePool } from 'pagepool';
import { slabs } from 'pagepool/providers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { codeOf } from '../support/realm.js';
import { HUNG_MS, PATIENCE } from '../support/waiting.js';

const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;

/** A thread that creates a pool on slabs, hands its share over, and stays. */
const OWNER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData).then(({ PagePool, slabs }) => {
    const provider = slabs({ slabBytes: 65536, keepBytes: 0 });
    const pool = PagePool.createSync({ provider, pageBytes: 4096, pageCount: 64, maxPorts: 4, channels: { work: {} } });
    pool.release(pool.alloc());
    parentPort.postMessage(pool.share());
    parentPort.on('message', () => pool.destroy());
  });
`;

/** A thread that takes pages, gives them into its own cache and is busy until it is told. */
const BUSY = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { entry, share, gate, timeoutMs } = workerData;
  import(entry).then(async ({ PagePool }) => {
    const pool = PagePool.attach(share);
    const taken = [];
    for (let i = 0; i < 4; i++) taken.push(await pool.takeAsync(undefined, { timeoutMs, ref: true }));
    for (const fragment of taken) fragment.release();
    parentPort.postMessage('has them');
    Atomics.wait(gate, 0, 0);
    parentPort.once('message', () => pool.detach());
  });
`;

// Also where a test fails: the files that follow in this process wait by timers.
afterEach(() => void vi.useRealTimers());

describe('an owner that stands idle', () => {
  it('takes back what a thread was too busy for when it was asked', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const provider = slabs({ slabBytes: 65536, keepBytes: 0, idleMs: 20 });
    const pool = PagePool.createSync({ provider, pageBytes: 4096, pageCount: 64, maxPorts: 2 });
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const busy = new Worker(BUSY, { eval: true, workerData: { entry, share: pool.share(), gate, timeoutMs: HUNG_MS } });
    const told = () => pool.stats().provider.owner?.description;
    await once(busy, 'message');
    vi.advanceTimersByTime(20 * 10); // more than the looks that ask
    expect(told()).toMatchObject({ slabs: 1 });
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await vi.waitFor(() => expect(told()).toMatchObject({ slabs: 0 }), PATIENCE);
    expect(pool.inflight).toBe(0);
    vi.useRealTimers();
    busy.postMessage('leave');
    expect(await pool.close({ timeoutMs: HUNG_MS, ref: true })).toMatchObject({ isDestroyed: true });
  });
});

describe('an owner that dies', () => {
  it('leaves a pool whose pages circulate, to which none is added, and which can be closed', async () => {
    const owner = new Worker(OWNER, { eval: true, workerData: entry });
    const [share] = await once(owner, 'message');
    const pool = PagePool.attach(share);
    pool.watch(owner);
    const first = await pool.takeAsync(undefined, { timeoutMs: HUNG_MS, ref: true });
    first.bytes.fill(5);
    expect(pool.stats().provider).toMatchObject({ kind: 'slab', state: 'serving', owner: null });
    await owner.terminate();
    await vi.waitFor(() => expect(pool.stats().provider.state).toBe('gone'), PATIENCE);
    const { provider } = pool.stats().pages;
    expect(pool.trim()).toBe(0); // nothing that is taken out would come back
    const handles: number[] = [];
    for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) handles.push(handle);
    expect(handles.length).toBeLessThan(64);
    for (const handle of handles) pool.release(handle);
    const again = pool.alloc();
    expect(again).not.toBe(0);
    pool.release(again);
    expect(first.bytes[4095]).toBe(5);
    first.release();
    const audit = pool.audit();
    expect(audit.errors).toEqual([]);
    expect(audit).toMatchObject({ exact: true, balanced: true });
    expect(provider).toBeGreaterThan(0);
    pool.detach();
  });

  it('while it closes is followed by another thread, which ends the pool', async () => {
    const owner = new Worker(OWNER, { eval: true, workerData: entry });
    const [share] = await once(owner, 'message');
    const pool = PagePool.attach(share);
    pool.watch(owner);
    const held = await pool.takeAsync(undefined, { timeoutMs: HUNG_MS, ref: true });
    owner.postMessage('destroy');
    await vi.waitFor(() => expect(codeOf(() => pool.take()?.release())).toBe('POOL_ERR_CLOSING'), PATIENCE);
    await owner.terminate();
    await vi.waitFor(() => expect(pool.stats().provider.state).toBe('gone'), PATIENCE);
    held.release();
    await vi.waitFor(() => expect(codeOf(() => pool.take()?.release())).toBe('POOL_ERR_DESTROYED'), PATIENCE);
    expect(pool.inflight).toBe(0);
  });
});

describe('a pool that takes the place of another one', () => {
  /** Providers over one buffer: pages that one pool gave back are fed to the other. */
  function sharing(buffer: SharedArrayBuffer, pageBytes: number) {
    const pages = buffer.byteLength / pageBytes;
    const free = new Set(Array.from({ length: pages }, (_, i) => i));
    const provider = (kind: string): MemoryProvider => {
      let first = 0;
      return {
        kind,
        readable: true,
        detachable: true,
        init: (context) => {
          first = context.addArea({ buffer, byteLength: buffer.byteLength }, pages).firstPage;
        },
        grow: (context, count) => {
          const fed = [...free].slice(0, count);
          context.feed(Uint32Array.from(fed, (index) => first + index));
          for (const index of fed) free.delete(index);
        },
        retire: (_, returned) => {
          for (const page of returned) free.add(page - first);
        },
        describe: () => ({ free: free.size }),
        destroy: () => {},
      };
    };
    return { provider, free };
  }

  it('has the pages that the old one gave back, while others of the same area are still out', async () => {
    const { provider, free } = sharing(new SharedArrayBuffer(16 * 4096), 4096);
    const options = { pageBytes: 4096, pageCount: 16, maxPorts: 2 };
    const old = PagePool.createSync({ ...options, provider: provider('old') });
    const held = Array.from({ length: 16 }, () => old.alloc());
    for (const [i, handle] of held.entries()) old.bytes(handle).fill(i + 1);
    const kept = held.splice(0, 4);
    for (const handle of held) old.release(handle);
    old.trim();
    const next = PagePool.createSync({ ...options, provider: provider('next') });
    old.destroy();
    const taken: number[] = [];
    for (let handle = next.alloc(); handle !== 0; handle = next.alloc()) taken.push(handle);
    expect(taken.length).toBe(12);
    for (const handle of taken) next.bytes(handle).fill(0xee);
    for (const handle of kept) expect(new Set(old.bytes(handle)).size).toBe(1);
    expect(kept.map((handle) => old.bytes(handle)[0]).toSorted()).toEqual([1, 2, 3, 4]);
    for (const handle of kept) old.release(handle);
    expect(await old.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
    expect(free.size).toBe(4);
    for (let handle = next.alloc(); handle !== 0; handle = next.alloc()) taken.push(handle);
    expect(taken.length).toBe(16);
    for (const handle of taken) next.release(handle);
    expect(await next.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
    expect(free.size).toBe(16);
  });
});
