// pagepool/worklet in Node: what process() calls makes no garbage, and what it meets is a value.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { PagePool, type PortStats } from 'pagepool';
import { slabs } from 'pagepool/providers';
import { WorkletPool } from 'pagepool/worklet';
import { describe, expect, it } from 'vitest';
import { loadAnotherRealm } from '../support/realm.js';
import { HUNG_MS, turns } from '../support/waiting.js';

const program = fileURLToPath(new URL('../support/collect-worklet.mjs', import.meta.url));
const build = new URL('../../build/', import.meta.url).href;

/** What the engine itself may take meanwhile, for code: under two bytes a block. The smallest object has 12. */
const HEAP_BYTES = 800_000;

async function collect(engine: string, blocks: number, env: Record<string, string> = {}) {
  // Optimised at once: with the compiler in threads of its own, how much is optimised when it counts would depend on
  // the machine.
  const args = ['--expose-gc', '--no-concurrent-recompilation', program, build, engine, String(blocks)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  return JSON.parse(stdout) as { collections: number; heapBytes: number; blocks: number };
}

describe('the calls of process()', () => {
  it.each(['wasm', 'typescript'])('of the %s engine cause no garbage collection in 400,000 blocks', async (engine) => {
    const { collections, heapBytes, blocks } = await collect(engine, 400_000);
    expect({ blocks, collections }).toEqual({ blocks: 400_000, collections: 0 });
    expect(heapBytes).toBeLessThan(HEAP_BYTES);
  });

  it('would be seen to make garbage if they did', async () => {
    const { collections, heapBytes } = await collect('wasm', 400_000, { LITTER: '1' });
    expect(collections > 0 || heapBytes >= HEAP_BYTES).toBe(true);
  });

  it('keep inside the fragment, in memory of any kind', async () => {
    for (const provider of ['wasm-memory', slabs({ slabBytes: 65536 })] as const) {
      const base = await PagePool.create({ pageBytes: 4096, pageCount: 64, provider });
      const pool = new WorkletPool(base);
      const pages = Array.from({ length: 40 }, () => pool.tryAlloc()).filter((page) => page !== 0);
      expect(pages.length).toBeGreaterThan(16);
      const [one, other] = [new Float32Array(1024), new Float32Array(1024)];
      pages.forEach((page, i) => {
        pool.write(page, one.fill(i));
        pool.write(page, one.subarray(0, 24).fill(-1), 1000);
      });
      pages.forEach((page, i) => {
        pool.read(page, other);
        expect(other.every((sample, at) => sample === (at < 1000 ? i : -1))).toBe(true);
      });
      const invalid = expect.objectContaining({ code: 'POOL_ERR_INVALID_ARGUMENT' });
      const [page = 0] = pages;
      for (const at of [1, -1, 0.5, 2 ** 32]) {
        expect(() => pool.write(page, one, at)).toThrow(invalid);
        expect(() => pool.read(page, one, at)).toThrow(invalid);
      }
      for (const each of pages) pool.release(each);
      expect(base.audit()).toMatchObject({ balanced: true, references: { ledgers: 0 } });
      expect(await base.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
      expect([pool.tryAlloc(), pool.tryAllocFragment(8)]).toEqual([0, 0]);
    }
  });

  it('find a pool that closes empty', async () => {
    const base = await PagePool.create({ pageBytes: 4096, pageCount: 4 });
    const pool = new WorkletPool(base);
    const page = pool.tryAlloc();
    base.destroy();
    expect([pool.tryAlloc(), pool.tryAllocFragment(8)]).toEqual([0, 0]);
    pool.release(page);
    expect(await base.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true, inflight: 0 });
  });

  it('find nothing where the thread was taken for dead', async () => {
    const { PagePool: Other } = await loadAnotherRealm();
    const base = Other.createSync({ pageBytes: 4096, pageCount: 4, maxPorts: 2 });
    const pool = WorkletPool.attach(base.share() as never);
    expect(pool.tryAlloc()).not.toBe(0);
    const { portId } = base.stats().ports.find((port) => port.isClaimed && port.portId !== base.portId) as PortStats;
    base.reap(portId, { force: true });
    base.audit(); // at rest: what it had is settled
    await turns(2); // its bell was rung
    const pages = Array.from({ length: 4 }, () => base.alloc());
    expect([pages.filter((page) => page !== 0).length, pool.tryAlloc(), pool.tryAllocFragment(8)]).toEqual([4, 0, 0]);
    for (const page of pages) base.release(page);
    expect([pool.tryAlloc(), pool.tryAllocFragment(8)]).toEqual([0, 0]);
    expect(await base.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });

  it('are of a pool', () => {
    const invalid = expect.objectContaining({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    expect(() => new WorkletPool({} as never)).toThrow(invalid);
    expect(() => WorkletPool.attach({} as never)).toThrow(invalid);
  });
});

describe.each(['wasm', 'typescript'] as const)('a channel, with the %s engine,', (engine) => {
  it('sends and receives entries, and tells full, empty and closed apart from what is wrong', async () => {
    const base = await PagePool.create({
      ...{ engine, pageBytes: 4096, pageCount: 8 },
      channels: { line: { capacity: 2, batch: 1 } },
    });
    const pool = new WorkletPool(base);
    const line = pool.channel('line');
    expect(line.tryReceive()).toBe(false);
    const handle = pool.tryAlloc();
    const invalid = expect.objectContaining({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    for (const wrong of [-1, 0.5, 2 ** 32, Number.NaN, '1', undefined, null] as number[]) {
      expect(() => line.trySend(wrong, 0, 16)).toThrow(invalid);
      expect(() => line.trySend(handle, wrong, 16)).toThrow(invalid);
      expect(() => line.trySend(handle, 0, wrong)).toThrow(invalid);
      if (wrong !== undefined) expect(() => line.trySend(handle, 0, 16, wrong)).toThrow(invalid);
    }
    expect(() => line.trySend(handle, 4000, 200)).toThrow(invalid);
    expect(line.trySend(handle, 8, 16, 0xffffffff)).toBe(true);
    const [second, third] = [pool.tryAlloc(), pool.tryAlloc()];
    expect([line.trySend(second, 0, 4096), line.trySend(third, 0, 1)]).toEqual([true, false]);
    expect(line.tryReceive()).toBe(true);
    expect(line).toMatchObject({ handle, offset: 8, length: 16, tag: 0xffffffff });
    pool.release(handle);
    expect(() => line.trySend(handle, 0, 1)).toThrow(expect.objectContaining({ code: 'POOL_ERR_STALE_HANDLE' }));
    expect(line.isClosed).toBe(false);
    line.close();
    expect([line.isClosed, line.trySend(third, 0, 1)]).toEqual([true, false]);
    expect(line.tryReceive()).toBe(true); // what was inside
    expect(line).toMatchObject({ handle: second, offset: 0, length: 4096, tag: 0 });
    expect(line.tryReceive()).toBe(false);
    expect(line).toMatchObject({ handle: second, offset: 0, length: 4096, tag: 0 });
    for (const each of [second, third]) pool.release(each);
    expect(await base.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });
});

describe('a thread that attaches by it', () => {
  it.each([
    ['wasm', 'wasm-memory', []],
    ['typescript', 'wasm-memory', ['typescript']],
    ['wasm', 'slab', ['areas']],
  ] as const)(
    'sends a page, and lets the pool close while it stands idle: engine %s, %s',
    async (engine, kind, parts) => {
      const provider = kind === 'slab' ? slabs({ slabBytes: 65536 }) : kind;
      const pool = await PagePool.create({ pageBytes: 4096, pageCount: 32, engine, provider, channels: { out: {} } });
      const worker = new Worker(new URL('./worklet-thread.mjs', import.meta.url), {
        workerData: { share: pool.share(), parts },
      });
      pool.watch(worker);
      const exited = once(worker, 'exit'); // may come together with the last message
      const [{ result }] = await once(worker, 'message');
      expect(result).toEqual({
        ...{ engine, isSent: true },
        again: expect.stringMatching(/^POOL_ERR_INVALID_ARGUMENT: attach failed: share="pool" /),
        unknown: expect.stringMatching(/^POOL_ERR_INVALID_ARGUMENT: channel failed: name="in" .*options: out\)/),
        handle: expect.stringMatching(/^POOL_ERR_INVALID_ARGUMENT: release failed: handle=0.5 /),
        stale: expect.stringMatching(/^POOL_ERR_(?:STALE_HANDLE|NOT_HELD): release failed: /),
      });
      const fragment = pool.channel('out').receive();
      if (fragment === null) throw new Error('nothing was received');
      expect(fragment.tag).toBe(7);
      const { buffer, byteOffset } = fragment.bytes;
      expect(new Float32Array(buffer, byteOffset, 128).every((sample) => sample === 0.25)).toBe(true);
      fragment.release();
      // Nobody polls there: its bell alone has it return what it caches.
      expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true, inflight: 0 });
      worker.postMessage('tell');
      const [{ found }] = await once(worker, 'message');
      expect(found).toEqual({ isClosed: true, page: 0, silence: true });
      await exited;
    },
  );

  it('needs pagepool/areas where a provider has the pages', async () => {
    const pool = await PagePool.create({ pageCount: 32, provider: 'slab', channels: { out: {} } });
    const worker = new Worker(new URL('./worklet-thread.mjs', import.meta.url), {
      workerData: { share: pool.share(), parts: [] },
    });
    const [error] = await once(worker, 'error');
    expect(error).toMatchObject({
      message: expect.stringMatching(/^attach failed: provider=.*import pagepool\/areas/),
    });
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });
});
