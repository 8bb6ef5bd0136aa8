// Where the platform withholds something: no shared memory, no Wasm, no permission to compile; same interface, and a
// reason.

import { PagePool, type PoolOptions } from 'pagepool';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { codeOf, loadAnotherRealm, messageOf } from '../support/realm.js';
import { withoutSharedBuffers } from '../support/scarce.js';
import { HUNG_MS, turns } from '../support/waiting.js';

afterEach(() => vi.unstubAllGlobals());

const options: PoolOptions = { pageCount: 16, maxPorts: 2, channels: { a: { capacity: 2 } } };

/** What every mode does alike. */
async function expectToWork(pool: PagePool): Promise<void> {
  const page = pool.alloc();
  pool.bytes(page).fill(3);
  const channel = pool.channel('a');
  expect(channel.send(page, 1, 2, 9)).toBe(true);
  const fragment = await channel.next();
  expect([fragment?.tag, ...(fragment?.bytes ?? [])]).toEqual([9, 3, 3]);
  const token = fragment?.slice(1, 1).lend();
  fragment?.release();
  pool.adopt(token as never).release();
  const held = Array.from({ length: 16 }, () => pool.alloc());
  expect(pool.alloc()).toBe(0);
  const waiting = pool.takeAsync(100, { timeoutMs: HUNG_MS });
  await turns(1);
  pool.release(held[0] as number);
  (await waiting).release();
  for (const handle of held.slice(1)) pool.release(handle);
  const next = channel.next({ timeoutMs: HUNG_MS });
  await turns(1);
  channel.sendFragment(pool.take(1) as never);
  (await next)?.release();
  expect(codeOf(() => pool.release(page))).toBe('POOL_ERR_STALE_HANDLE');
  expect(await pool.close()).toMatchObject({ isDestroyed: true, inflight: 0 });
}

describe('without isolation', () => {
  it('a pool is local, works, and says why it cannot be shared', async () => {
    vi.stubGlobal('crossOriginIsolated', false);
    withoutSharedBuffers();
    const pool = await PagePool.create(options);
    expect([pool.mode, pool.engine]).toEqual(['local', 'wasm']);
    expect(codeOf(() => pool.share())).toBe('POOL_ERR_NOT_SHARED');
    expect(messageOf(() => pool.share())).toContain('not cross-origin isolated');
    expect(pool.bytes(pool.fragment(pool.alloc()).handle).buffer).toBeInstanceOf(ArrayBuffer);
    expect(pool.channel('a').waitSync(1000)).toBe(false);
    pool.detach({ release: true });
    await expectToWork(PagePool.createSync(options));
  });

  it('either engine serves it, and a module for shared memory is not used', async () => {
    const shared = PagePool.createSync({ engine: 'wasm' });
    const { module } = shared.share();
    shared.destroy();
    vi.stubGlobal('crossOriginIsolated', false);
    withoutSharedBuffers();
    for (const engine of ['wasm', 'typescript'] as const) {
      const pool = PagePool.createSync({ ...options, engine, module });
      expect([pool.mode, pool.engine]).toEqual(['local', engine]);
      await expectToWork(pool);
    }
  });

  it("its pages' memory cannot be taken away", () => {
    vi.stubGlobal('crossOriginIsolated', false);
    withoutSharedBuffers();
    const pool = PagePool.createSync(options);
    const { buffer } = pool.bytes(pool.alloc());
    messageOf(() => structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })); // Node copies, others refuse
    expect(buffer.byteLength).toBeGreaterThan(0);
    pool.detach({ release: true });
  });
});

describe('without shared memory of any kind', () => {
  it('a pool is local', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    withoutSharedBuffers();
    const pool = PagePool.createSync(options);
    expect(pool.mode).toBe('local');
    expect(messageOf(() => pool.share())).toContain('neither shared Wasm memory nor SharedArrayBuffer');
    await expectToWork(pool);
  });
});

describe('where shared memory is made but not posted', () => {
  const refusingShared = (): void => {
    vi.stubGlobal(
      'MessageChannel',
      class {
        readonly port1 = {
          postMessage: () => {
            throw new DOMException('The object can not be cloned.', 'DataCloneError');
          },
          close: () => {},
        };
        readonly port2 = { close: () => {} };
      },
    );
  };

  it.each([
    ['Wasm memory', 'wasm', () => {}],
    ['buffers', 'typescript', () => vi.stubGlobal('WebAssembly', undefined)],
  ])('a pool is local, works, and says why: %s', async (_, engine, withhold) => {
    refusingShared();
    withhold();
    const pool = await PagePool.create(options);
    expect([pool.mode, pool.engine]).toEqual(['local', engine]);
    expect(codeOf(() => pool.share())).toBe('POOL_ERR_NOT_SHARED');
    expect(messageOf(() => pool.share())).toContain('refuses to post it to other threads');
    await expectToWork(pool);
  });

  it('memory counts as shared where there are no message ports to ask', () => {
    vi.stubGlobal('MessageChannel', undefined);
    expect(PagePool.createSync(options).mode).toBe('shared');
  });
});

describe('without Wasm', () => {
  it('a pool is shared through a SharedArrayBuffer, by the TypeScript engine', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    const pool = PagePool.createSync(options);
    expect([pool.mode, pool.engine]).toEqual(['shared', 'typescript']);
    expect(pool.share().memory).toBeInstanceOf(SharedArrayBuffer);
    const other = (await loadAnotherRealm()).PagePool.attach(structuredClone(pool.share()) as never);
    const token = pool.take()?.lend();
    const fragment = other.adopt(token as never);
    fragment.release();
    other.detach();
    await expectToWork(pool);
  });
});

describe('where Wasm may not be compiled', () => {
  const forbid = () => {
    const CompileError = () => {
      throw new WebAssembly.CompileError('refused by the content security policy');
    };
    vi.stubGlobal('WebAssembly', {
      Memory: WebAssembly.Memory,
      Instance: WebAssembly.Instance,
      Module: CompileError,
      compile: CompileError,
    });
  };

  it('auto falls back, wasm is refused', async () => {
    const realm = (await loadAnotherRealm()) as unknown as typeof import('pagepool');
    forbid();
    const pool = await realm.PagePool.create(options);
    expect([pool.mode, pool.engine]).toEqual(['shared', 'typescript']);
    await expectToWork(pool);
    await expect(realm.PagePool.create({ engine: 'wasm' })).rejects.toMatchObject({
      code: 'POOL_ERR_INVALID_ARGUMENT',
    });
    expect(realm.PagePool.createSync(options).engine).toBe('typescript');
  });
});

describe('both engines in one pool', () => {
  it.each([
    ['wasm', 'typescript'],
    ['typescript', 'wasm'],
    ['typescript', 'typescript'],
  ] as const)('%s creates, %s attaches, and references go both ways', async (creator, attacher) => {
    const pool = PagePool.createSync({ ...options, engine: creator });
    const share = { ...pool.share(), engine: attacher };
    const other = (await loadAnotherRealm()).PagePool.attach(share as never);
    expect([pool.engine, other.engine]).toEqual([creator, attacher]);
    for (let round = 0; round < 200; round++) {
      const [from, to] = round % 2 === 0 ? [pool, other] : [other, pool];
      const fragment = from.take(1 + ((round * 37) % 4096));
      if (fragment === null) throw new Error(`empty in round ${round}`);
      from.channel('a').sendFragment(fragment as never, round);
      const came = to.channel('a').receive();
      expect(came?.tag).toBe(round);
      came?.release();
    }
    other.detach();
    pool.trim();
    expect(pool.audit()).toMatchObject({ balanced: true, exact: true, pages: { used: 0, cached: 0, ring: 0 } });
    pool.destroy();
    expect(pool.inflight).toBe(0);
  });
});

describe('memory', () => {
  it('that the platform refuses is a MEMORY_LIMIT', () => {
    class Memory extends WebAssembly.Memory {
      constructor(limits: WebAssembly.MemoryDescriptor) {
        if (limits.initial > 1) throw new RangeError('could not allocate memory');
        super(limits);
      }
    }
    vi.stubGlobal('WebAssembly', { Memory, validate: () => true });
    const create = (): PagePool => PagePool.createSync({ ...options, engine: 'wasm' });
    expect(codeOf(create)).toBe('POOL_ERR_MEMORY_LIMIT');
    expect(messageOf(create)).toContain(
      'pageCount=16, pageBytes=4096, or close other pools; a shared Wasm memory takes 10 GiB of addresses',
    );
    expect(create).toThrow(expect.objectContaining({ cause: new RangeError('could not allocate memory') }));
  });
});
