// Channels in one thread: what goes in comes out, in order, with its reference; full, closed and refused entries.

import { type Channel, type Fragment, PagePool, type WhenFull } from 'pagepool';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf, messageOf } from '../support/realm.js';

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;

  function open(capacity: number, batch: number, whenFull: WhenFull = 'refuse'): Channel {
    pool = PagePool.createSync({ engine, pageCount: 64, maxPorts: 2, channels: { a: { capacity, batch, whenFull } } });
    return pool.channel('a');
  }
  afterEach(() => {
    pool.trim();
    expect(pool.audit()).toMatchObject({ balanced: true, errors: [], pages: { used: 0 } });
    pool.destroy();
  });

  /** Entries 1..count on one page, a reference each. */
  function entries(count: number, array: Uint32Array = new Uint32Array(4 * count)): Uint32Array {
    const page = pool.alloc();
    if (count > 1) pool.retain(page, count - 1);
    for (let i = 0; i < count; i++) array.set([page, i, 1, i + 1], 4 * i);
    return array;
  }

  function receiveTags(channel: Channel, count: number): number[] {
    const array = new Uint32Array(4 * count);
    const came = channel.receiveBurst(array, count);
    const tags: number[] = [];
    for (let i = 0; i < came; i++) {
      tags.push(array[4 * i + 3] as number);
      pool.release(array[4 * i] as number);
    }
    return tags;
  }

  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

  describe('a channel', () => {
    it.each([
      [1, 1],
      [4, 1],
      [256, 8],
      [64, 32],
      [1000, 32],
    ])('of %i entries in batches of %i keeps order and windows', (capacity, batch) => {
      const channel = open(capacity, batch);
      const sent = channel.sendBurst(entries(Math.min(capacity, 60)), Math.min(capacity, 60));
      expect(sent).toBe(Math.min(capacity, 60));
      expect([channel.capacity, channel.pending, channel.dropped]).toEqual([capacity, sent, 0]);
      const first = channel.receive() as Fragment;
      expect([first.offset, first.length, first.tag]).toEqual([0, 1, 1]);
      first.release();
      expect(receiveTags(channel, 64)).toEqual(upTo(sent).slice(1));
      expect(channel.pending).toBe(0);
      expect(receiveTags(channel, 64)).toEqual([]);
    });

    it('wraps many times without losing or repeating an entry', () => {
      const channel = open(3, 2);
      for (let round = 0; round < 500; round++) {
        expect(channel.sendBurst(entries(3), 3)).toBe(3);
        expect(receiveTags(channel, 2)).toEqual([1, 2]);
        expect(receiveTags(channel, 2)).toEqual([3]);
      }
    });

    it('that is full refuses, and the sender keeps its references', () => {
      const channel = open(2, 1);
      const array = entries(3);
      expect(channel.sendBurst(array, 3)).toBe(2);
      expect(channel.send(array[0] as number, 0, 1)).toBe(false);
      expect(pool.refCount(array[0] as number)).toBe(3);
      pool.release(array[0] as number);
      expect(receiveTags(channel, 3)).toEqual([1, 2]);
    });

    it('that drops the newest says true, releases and counts', () => {
      const channel = open(2, 1, 'drop-newest');
      expect(channel.sendBurst(entries(5), 5)).toBe(5);
      expect(channel.send(pool.alloc(), 0, 1)).toBe(true);
      expect(channel.dropped).toBe(4);
      expect(receiveTags(channel, 5)).toEqual([1, 2]);
    });

    it('that drops the oldest keeps the last entries', () => {
      const channel = open(2, 1, 'drop-oldest');
      for (const each of upTo(5)) expect(channel.send(pool.alloc(), 0, 1, each)).toBe(true);
      expect(channel.dropped).toBe(3);
      expect(receiveTags(channel, 5)).toEqual([4, 5]);
    });

    it('stops a burst at the first bad entry and names its index; those before it went', () => {
      const channel = open(16, 8);
      const own = pool.words(16);
      for (const array of [entries(4), entries(4, own)]) {
        const handle = array[8] as number;
        array[8] = handle ^ 1;
        const error = { code: expect.stringMatching(/STALE|FOREIGN|NOT_HELD/), index: 2 };
        expect(() => channel.sendBurst(array, 4)).toThrow(expect.objectContaining(error));
        expect(receiveTags(channel, 8)).toEqual([1, 2]);
        pool.release(handle);
        pool.release(handle);
      }
    });

    it('refuses windows outside the fragment and numbers that are no u32', () => {
      const channel = open(4, 1);
      const page = pool.alloc();
      for (const [offset, length] of [
        [4097, 0],
        [0, 4097],
        [4096, 1],
        [1, 4096],
        [2 ** 32 - 1, 2],
      ] as const) {
        expect(codeOf(() => channel.send(page, offset, length))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      for (const bad of [-1, 1.5, 2 ** 32, Number.NaN, '1', null, {}]) {
        expect(codeOf(() => channel.send(page, bad as number, 1))).toBe('POOL_ERR_INVALID_ARGUMENT');
        expect(codeOf(() => channel.send(page, 0, bad as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
        expect(codeOf(() => channel.send(page, 0, 1, bad as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      expect(channel.pending).toBe(0);
      expect(channel.send(page, 4096, 0, 2 ** 32 - 1)).toBe(true);
      expect(receiveTags(channel, 1)).toEqual([2 ** 32 - 1]);
    });

    it('that is closed takes nothing more and gives what it has', () => {
      const channel = open(4, 1);
      const page = pool.alloc();
      pool.retain(page);
      channel.send(page, 0, 1, 7);
      channel.close();
      channel.close();
      expect(channel.isClosed).toBe(true);
      expect(codeOf(() => channel.send(page, 0, 1))).toBe('POOL_ERR_CHANNEL_CLOSED');
      expect(codeOf(() => channel.sendBurst(new Uint32Array([page, 0, 1, 0]), 1))).toBe('POOL_ERR_CHANNEL_CLOSED');
      expect(pool.refCount(page)).toBe(2);
      expect(receiveTags(channel, 2)).toEqual([7]);
      pool.release(page);
    });

    it('copies bursts longer than its own scratch in parts', () => {
      const channel = open(1000, 32);
      expect(channel.sendBurst(entries(900), 900)).toBe(900);
      expect(receiveTags(channel, 1000)).toEqual(upTo(900));
    });

    it('carries fragments of a page whose other fragments stay', () => {
      const channel = open(4, 1);
      const [kept, sent] = [pool.allocFragment(64), pool.allocFragment(64)];
      channel.send(sent, 0, 64);
      const came = channel.receive() as Fragment;
      expect([came.handle, came.length, pool.refCount(kept)]).toEqual([sent, 64, 1]);
      came.release();
      pool.release(kept);
    });
  });
});

describe('a pool made with a module', () => {
  it('uses it, and refuses one that is not its core', async () => {
    const { readFileSync } = await import('node:fs');
    const core = new WebAssembly.Module(readFileSync(new URL('../../build/wasm/core.release.wasm', import.meta.url)));
    const own = PagePool.createSync({ pageCount: 4, module: core });
    expect([own.engine, own.share().module]).toEqual(['wasm', core]);
    own.destroy();
    const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(messageOf(() => PagePool.createSync({ module: empty }))).toContain('module=object (expected');
    await expect(PagePool.create({ module: empty })).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
  });
});
