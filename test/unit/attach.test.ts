// pagepool/attach: what a thread does that loads no more, on pools of both engines and of both kinds of memory; what it
// lacks, and what it says of that.

import { Worker } from 'node:worker_threads';
import { PagePool, type PagePool as Pool, type PoolShare } from 'pagepool';
import { nextPacket, sendPacket, takePacket } from 'pagepool/packet';
import { slabs } from 'pagepool/providers';
import { afterEach, describe, expect, it } from 'vitest';
import { HUNG_MS } from '../support/waiting.js';

const program = new URL('./attach-thread.mjs', import.meta.url);

/** What the thread posted when its job was done. */
function thread<Result>(
  job: string,
  share: PoolShare,
  ...parts: ('areas' | 'calls' | 'typescript')[]
): Promise<Result> {
  const worker = new Worker(program, { workerData: { share, job, parts } });
  pool?.watch(worker); // one that fails leaves its port
  return new Promise((resolve, reject) => {
    worker.on('message', ({ result }) => resolve(result));
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the thread ended with code ${code} and no result`)));
  });
}

let pool: Pool | undefined;

afterEach(async () => {
  expect(await pool?.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  pool = undefined;
});

/** The calls of PagePool that an attached thread does without. */
const WHOLE_ONLY = ['audit', 'close', 'destroy', 'leaks', 'reap', 'stats', 'watch'];

describe('a thread of pagepool/attach', () => {
  it.each([
    ['wasm', 'wasm', 'wasm-memory'],
    ['typescript', 'typescript', 'wasm-memory'],
    ['wasm', 'typescript', 'wasm-memory'],
    ['wasm', 'wasm', 'slab'],
  ] as const)('works on a pool of the %s engine with the %s engine, on %s pages', async (engine, own, kind) => {
    const provider = kind === 'slab' ? slabs({ slabBytes: 65536 }) : kind;
    const made = await PagePool.create({
      ...{ pageBytes: 4096, pageCount: 32, engine, provider, channels: { out: {}, in: {}, more: {} } },
    });
    pool = made as Pool;
    const done = thread<{ count: number; inflight: number }>(
      'work',
      { ...made.share(), engine: own },
      ...(own === 'typescript' ? (['typescript'] as const) : []),
      ...(kind === 'slab' ? (['areas'] as const) : []),
    );
    const packet = await nextPacket(made.channel('out'));
    expect(packet?.length).toBe(5000);
    for (const view of packet ?? []) expect(view.every((byte) => byte === 7)).toBe(true);
    packet?.release();
    const answer = takePacket(made, 9000);
    expect(answer !== null && sendPacket(made.channel('in'), answer)).toBe(true);
    for (let tag = 1; tag <= 5; tag++) {
      const fragment = await made.takeAsync(10);
      expect(made.channel('more').sendFragment(fragment, tag)).toBe(true);
    }
    made.channel('more').close();
    const seen = await done;
    expect([1, 2, 3, 4]).toContain(seen.count); // a slab is fed little by little
    expect(seen).toMatchObject({
      ...{ isSent: true, bytes: 9000, received: [1, 2, 3, 4, 5], portId: 1 },
      refusal: expect.stringMatching(/^POOL_ERR_(?:STALE_HANDLE|NOT_HELD): release failed: handle=\d+ \(expected /),
      gone: expect.stringMatching(/^POOL_ERR_DESTROYED: alloc failed: pool=destroyed or detached \(expected /),
    });
    expect(seen.inflight).toBeGreaterThan(0);
    expect(made.audit()).toMatchObject({ errors: [], references: { ledgers: 0 } });
  });

  it('asks and serves calls', async () => {
    const made = await PagePool.create({ pageCount: 16, calls: { double: {}, half: {} } });
    pool = made as Pool;
    const done = thread<number>('serve', made.share(), 'calls');
    const served = made.calls('half').serve(({ reply }) => {
      reply.bytes[0] = 21;
      return 1;
    });
    const request = await made.takeAsync(1);
    request.bytes[0] = 4;
    const reply = await Promise.race([made.calls('double').call(request), done]);
    if (typeof reply === 'number') throw new Error('the thread ended before it served');
    expect(reply.bytes[0]).toBe(8);
    reply.release();
    made.destroy();
    expect(await done).toBe(21);
    await served;
  });

  it('has every call of a PagePool but those of who creates, watches, repairs and ends one', async () => {
    pool = await PagePool.create({ pageCount: 4 });
    const { engine, isAttached, members } = await thread<{ isAttached: boolean; members: string[]; engine: string }>(
      'calls',
      pool.share(),
    );
    expect({ isAttached, engine }).toEqual({ isAttached: true, engine: 'wasm' });
    const whole = new Set<string>(Object.getOwnPropertyNames(pool));
    for (let type = PagePool.prototype; type !== Object.prototype; type = Object.getPrototypeOf(type)) {
      for (const name of Object.getOwnPropertyNames(type)) whole.add(name);
    }
    expect([...whole].filter((name) => !members.includes(name)).sort()).toEqual(WHOLE_ONLY);
    expect(members.filter((name) => !whole.has(name))).toEqual([]);
  });

  it('detaches at the end of its scope', async () => {
    pool = await PagePool.create({ pageCount: 4 });
    expect(await thread('disposed', pool.share())).toBe('nothing');
  });

  it('names pagepool/typescript where the pool needs it, and takes no port then', async () => {
    pool = await PagePool.create({ pageCount: 4, engine: 'typescript' });
    expect(await thread('refusal', pool.share())).toMatch(
      /^POOL_ERR_INVALID_ARGUMENT: attach failed: engine="typescript" \(expected .*pagepool\/typescript in this thread/,
    );
    expect(pool.stats().ports.filter(({ isClaimed }) => isClaimed).length).toBe(1);
    expect(await thread('refusal', pool.share(), 'typescript')).toBe('nothing');
  });

  it.each(['provider', 'reserve'])(
    'names pagepool/areas where a %s has pages, and takes no port then',
    async (kind) => {
      const slab = slabs({ slabBytes: 65536 });
      const source = kind === 'provider' ? { provider: slab } : { reserve: { provider: slab, pageCount: 4 } };
      pool = await PagePool.create({ pageBytes: 4096, pageCount: 32, ...source });
      expect(await thread('refusal', pool.share())).toMatch(
        /^POOL_ERR_INVALID_ARGUMENT: attach failed: provider="\S+" \(expected .*; import pagepool\/areas in this thread/,
      );
      const { areas: _, ...share } = pool.share();
      expect(await thread('refusal', share, 'areas')).toMatch(/^POOL_ERR_CORRUPT: attach failed: areas=undefined /);
      expect(pool.stats().ports.filter(({ isClaimed }) => isClaimed).length).toBe(1);
      expect(await thread('refusal', pool.share(), 'areas')).toBe('nothing');
    },
  );

  it('names pagepool/calls where the thread asks or serves, and what was declared where that is wrong', async () => {
    pool = await PagePool.create({ pageCount: 4, calls: { double: {}, half: {} } });
    const [asking, unknown] = await thread<string[]>('undeclared', pool.share());
    expect(asking).toBe(
      'POOL_ERR_INVALID_ARGUMENT: calls failed: name="half" (expected pagepool/calls, where a thread asks or serves); import pagepool/calls in this thread',
    );
    const rule = "calls of the pool's options: double, half";
    expect(unknown).toContain(`calls failed: name="third" (expected ${rule})`);
    expect((await thread<string[]>('undeclared', pool.share(), 'calls'))[0]).toBe('nothing');
  });

  it('compiles no core of its own: a share without one is refused', async () => {
    pool = await PagePool.create({ pageCount: 4 });
    const { module: _, ...share } = pool.share();
    expect(await thread('refusal', { ...share, engine: 'wasm' })).toMatch(
      /^POOL_ERR_INVALID_ARGUMENT: attach failed: /,
    );
    expect(await thread('refusal', share)).toMatch(/pagepool\/typescript/);
    expect(await thread('refusal', share, 'typescript')).toBe('nothing');
  });

  it('refuses options that only the whole package has', async () => {
    pool = await PagePool.create({ pageCount: 4 });
    expect(await thread('option', pool.share())).toMatch(/^POOL_ERR_INVALID_ARGUMENT: attach failed: leaks="all" /);
  });
});
