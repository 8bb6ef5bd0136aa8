// Fragment and tokens: one reference, one release, windows inside windows.

import { type Fragment, type FragmentToken, PagePool } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, loadAnotherRealm, messageOf } from '../support/realm.js';
import { HUNG_MS, turns } from '../support/waiting.js';

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;
  const take = (bytes?: number) => pool.take(bytes) as Fragment;

  beforeEach(() => {
    pool = PagePool.createSync({ engine, pageCount: 64, maxPorts: 2, channels: { a: { capacity: 2 } } });
  });
  afterEach(() => {
    expect(pool.audit()).toMatchObject({ balanced: true, pages: { used: 0 } });
    pool.destroy();
  });

  describe('a fragment', () => {
    it('has the length asked for, and one view', () => {
      const fragment = take(100);
      expect([fragment.offset, fragment.length, fragment.tag, fragment.bytes.byteLength]).toEqual([0, 100, 0, 100]);
      expect(fragment.bytes).toBe(fragment.bytes);
      fragment.release();
      const page = take();
      expect(page.length).toBe(4096);
      page.release();
      pool.trim();
    });

    it('is spent by its release: everything refuses, disposing does nothing', () => {
      const fragment = take();
      fragment.release();
      const calls = [
        () => fragment.release(),
        () => fragment.retain(),
        () => fragment.slice(0, 1),
        () => fragment.bytes,
        () => fragment.lend(),
        () => pool.channel('a').sendFragment(fragment),
      ];
      for (const call of calls) expect(codeOf(call)).toBe('POOL_ERR_STALE_HANDLE');
      fragment[Symbol.dispose]();
    });

    it('is released by disposing', () => {
      const fragment = take();
      fragment[Symbol.dispose]();
      expect(codeOf(() => fragment.bytes)).toBe('POOL_ERR_STALE_HANDLE');
    });

    it('has slices with references of their own, inside its window', () => {
      const fragment = take();
      fragment.bytes.forEach((_, i, bytes) => {
        bytes[i] = i;
      });
      const slice = fragment.slice(100, 50);
      const inner = slice.slice(10, 5);
      const same = inner.retain();
      fragment.release();
      slice.release();
      expect([...inner.bytes]).toEqual([110, 111, 112, 113, 114]);
      expect(pool.refCount(inner.handle)).toBe(2);
      expect([same.offset, same.length]).toEqual([110, 5]);
      for (const [offset, length] of [
        [-1, 1],
        [6, 0],
        [0, 6],
        [1, 5],
        [0.5, 1],
        [0, Number.NaN],
      ] as const) {
        expect(codeOf(() => inner.slice(offset, length))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      expect(inner.slice(5, 0).release()).toBe(undefined);
      inner.release();
      same.release();
    });

    it('takes over a reference that is held as a number', () => {
      const page = pool.alloc();
      const fragment = pool.fragment(page, 10, 20);
      expect([fragment.offset, fragment.length, fragment.bytes.byteLength]).toEqual([10, 20, 20]);
      for (const [offset, length] of [
        [-1, 1],
        [4097, 0],
        [10, 4087],
        [0, '1'],
      ] as const) {
        expect(codeOf(() => pool.fragment(page, offset, length as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      fragment.release();
      expect(codeOf(() => pool.fragment(page))).toBe('POOL_ERR_STALE_HANDLE');
    });

    it('goes along with an entry, and stays when the channel is full', () => {
      const channel = pool.channel('a');
      expect(channel.sendFragment(take(10), 4_000_000_000)).toBe(true);
      expect(channel.sendFragment(take(10))).toBe(true);
      const third = take(10);
      expect(channel.sendFragment(third)).toBe(false);
      third.release();
      const first = channel.receive();
      expect([first?.tag, first?.length]).toEqual([4_000_000_000, 10]);
      first?.release();
      channel.receive()?.release();
      expect(channel.receive()).toBe(null);
      for (const bad of [null, {}, 7, undefined]) {
        expect(codeOf(() => channel.sendFragment(bad as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      pool.trim();
    });

    it('of another pool is refused', () => {
      const other = PagePool.createSync({ engine, pageCount: 4 });
      const fragment = other.take() as Fragment;
      expect(codeOf(() => pool.channel('a').sendFragment(fragment))).toBe('POOL_ERR_FOREIGN_HANDLE');
      expect(codeOf(() => pool.adopt(fragment.lend()))).toBe('POOL_ERR_FOREIGN_HANDLE');
      other.reclaimTokens(0);
      other.destroy();
    });
  });

  describe('a token', () => {
    it('moves the reference and its window to the thread that adopts it, once', async () => {
      const other = (await loadAnotherRealm()).PagePool.attach(pool.share() as never);
      const fragment = take().slice(0, 4096);
      pool.release(fragment.handle);
      fragment.bytes[7] = 7;
      const token = structuredClone(fragment.slice(5, 10).lend());
      fragment.release();
      expect(pool.audit()).toMatchObject({ balanced: true, references: { ledgers: 0, tokens: 1 } });
      const adopted = other.adopt(token);
      expect([adopted.offset, adopted.length, adopted.bytes[2]]).toEqual([5, 10, 7]);
      expect(codeOf(() => other.adopt(token))).toBe('POOL_ERR_TOKEN_SPENT');
      expect(codeOf(() => pool.adopt(token))).toBe('POOL_ERR_TOKEN_SPENT');
      adopted.release();
      other.detach();
    });

    it('is reclaimed after its time', () => {
      const token = take().lend();
      expect(pool.reclaimTokens(10_000)).toBe(0);
      expect(pool.reclaimTokens(0)).toBe(1);
      expect(codeOf(() => pool.adopt(token))).toBe('POOL_ERR_TOKEN_SPENT');
      for (const bad of [-1, Number.NaN, '1', null, undefined]) {
        expect(codeOf(() => pool.reclaimTokens(bad as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
    });

    it('of the 257th fragment is refused, and the fragment stays', () => {
      const fragment = take();
      pool.retain(fragment.handle, 256);
      for (let i = 0; i < 256; i++) pool.fragment(fragment.handle).lend();
      expect(codeOf(() => fragment.lend())).toBe('POOL_ERR_REF_OVERFLOW');
      expect(pool.reclaimTokens(0)).toBe(256);
      fragment.release();
    });

    it('are as many as the pool was made with, for every thread of it', async () => {
      const small = PagePool.createSync({ engine, pageCount: 8, tokens: 3 });
      const there = (await loadAnotherRealm()).PagePool.attach(small.share() as never) as unknown as PagePool;
      const lent = [0, 1, 2].map(() => (there.take(10) as Fragment).lend());
      const fragment = small.take(10) as Fragment;
      expect(messageOf(() => fragment.lend())).toMatch(
        /^lend failed: tokens=3 \(expected fewer .*lendAsync.*more tokens$/,
      );
      expect(codeOf(() => there.adopt({ ...lent[0], index: 3 } as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      // The one that comes back is used next, whichever it is.
      for (const token of [lent[1], lent[0], lent[2]]) {
        small.adopt(token as FragmentToken).release();
        expect(fragment.retain().lend().index).toBe(token?.index);
      }
      expect(small.reclaimTokens(0)).toBe(3);
      fragment.release();
      there.detach();
      await small.close();
    });

    it('are found though 65,535 are out, each with its own number', async () => {
      const large = PagePool.createSync({ engine, pageCount: 1, tokens: 65_535 });
      const fragment = large.take() as Fragment;
      // Rows of the ledger count to 65,535.
      large.retain(fragment.handle, 65_534);
      const tokens = Array.from({ length: 65_534 }, () => large.fragment(fragment.handle).lend());
      expect(new Set(tokens.map(({ index }) => index)).size).toBe(65_534);
      const last = fragment.lend();
      const again = large.adopt(last).lend();
      expect([again.index, again.sequence]).toEqual([last.index, last.sequence + 1]);
      expect(codeOf(() => large.adopt(last))).toBe('POOL_ERR_TOKEN_SPENT');
      large.adopt(again).release();
      expect(large.reclaimTokens(0)).toBe(65_534);
      expect(large.audit()).toMatchObject({ balanced: true, pages: { used: 0 } });
      await large.close();
    });

    it('can be waited for', async () => {
      const small = PagePool.createSync({ engine, pageCount: 8, tokens: 1 });
      const token = (small.take(10) as Fragment).lend();
      const fragment = small.take(20) as Fragment;
      await expect(small.lendAsync(fragment, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
      await expect(small.lendAsync(take() as never, { timeoutMs: 0 })).rejects.toThrow(/^lendAsync failed: /);
      const waiting = small.lendAsync(fragment, { timeoutMs: HUNG_MS });
      await turns(2);
      expect(fragment.bytes.length).toBe(20);
      small.adopt(token).release();
      const next = await waiting;
      expect(codeOf(() => fragment.bytes)).toBe('POOL_ERR_STALE_HANDLE');
      expect(small.adopt(next).length).toBe(20);
      small.detach({ release: true });
      await expect(small.lendAsync(fragment)).rejects.toThrow(/^lendAsync failed: /);
      pool.detach({ release: true });
      pool = PagePool.createSync({ engine });
    });

    it.each([0, -1, 65_536, 1.5, Number.NaN, '1', null])('cannot be %j', (tokens) => {
      expect(codeOf(() => PagePool.createSync({ tokens: tokens as number }))).toBe('POOL_ERR_INVALID_ARGUMENT');
    });

    it.each([null, 7, {}, 'token', { kind: 'pagepool-fragment' }])('is not %j', (value) => {
      expect(codeOf(() => pool.adopt(value as never))).toMatch(/INVALID_ARGUMENT|FOREIGN/);
    });

    it('with numbers that no token has is refused', () => {
      const token = take().lend();
      for (const change of [
        { index: -1 },
        { index: 256 },
        { index: 1.5 },
        { sequence: -1 },
        { sequence: 2 ** 22 },
        { sequence: '0' },
      ]) {
        expect(codeOf(() => pool.adopt({ ...token, ...change } as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      expect(codeOf(() => pool.adopt({ ...token, sequence: 77 }))).toBe('POOL_ERR_TOKEN_SPENT');
      pool.adopt(token).release();
    });
  });
});
