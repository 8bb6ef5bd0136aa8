// Sends that wait, loops over a channel, and what a channel and the statistics tell of both.

import { type Channel, type Fragment, PagePool } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { HUNG_MS, orHung, turns, until } from '../support/waiting.js';

const CHANNELS = { a: { capacity: 2, batch: 1 }, newest: { capacity: 2, batch: 1, whenFull: 'drop-newest' } } as const;

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;
  let other: PagePool;
  let channel: Channel;
  let there: Channel;

  beforeEach(async () => {
    const channels = { ...CHANNELS, oldest: { ...CHANNELS.newest, whenFull: 'drop-oldest' } } as const;
    pool = PagePool.createSync({ engine, pageCount: 64, maxPorts: 2, channels });
    other = (await loadAnotherRealm()).PagePool.attach(pool.share() as never) as unknown as PagePool;
    channel = pool.channel('a');
    there = other.channel('a');
  });
  afterEach(() => {
    other.detach({ release: true });
    for (let left = channel.receive(); left !== null; left = channel.receive()) left.release();
    pool.trim();
    expect(pool.audit()).toMatchObject({ balanced: true, pages: { used: 0 }, references: { ledgers: 0 } });
    pool.destroy();
  });

  const take = (): Fragment => pool.take(10) as Fragment;
  const settled = async (promise: Promise<unknown>): Promise<string> =>
    orHung(
      promise.then(
        () => 'sent',
        (error: { code?: string; message: string }) => error.code ?? error.message,
      ),
      'a send',
    );
  const receive = (): number | undefined => {
    const fragment = there.receive();
    fragment?.release();
    return fragment?.tag;
  };
  const fill = (): void => {
    for (let i = 0; i < 2; i++) expect(channel.sendFragment(take())).toBe(true);
  };

  describe('sendAsync', () => {
    it('sends at once where there is room, and spends the fragment', async () => {
      const fragment = take();
      await channel.sendAsync(fragment, 7);
      expect(codeOf(() => fragment.bytes)).toBe('POOL_ERR_STALE_HANDLE');
      expect(receive()).toBe(7);
    });

    it('waits for room', async () => {
      fill();
      const fragment = take();
      const sent = channel.sendAsync(fragment, 3, { timeoutMs: HUNG_MS });
      await turns(2);
      expect(fragment.bytes.length).toBe(10);
      expect(receive()).toBe(0);
      expect(await settled(sent)).toBe('sent');
      expect([receive(), receive(), receive()]).toEqual([0, 3, undefined]);
    });

    it('keeps the order of the calls, whichever of them give up', async () => {
      fill();
      const controller = new AbortController();
      const fragments = Array.from({ length: 40 }, take);
      const sends = fragments.map((fragment, tag) =>
        settled(channel.sendAsync(fragment, tag, tag % 3 === 0 ? { signal: controller.signal } : undefined)),
      );
      await turns(2);
      const tags: (number | undefined)[] = [];
      while (tags.length < 10) {
        await turns(1);
        const tag = receive();
        if (tag === undefined) continue;
        tags.push(tag);
        // Called while there is room that those who wait have not heard of.
        fragments.push(take());
        sends.push(settled(channel.sendAsync(fragments.at(-1) as Fragment, fragments.length - 1)));
      }
      controller.abort(new Error('enough'));
      fragments[13]?.release();
      const late = settled(channel.sendAsync(take(), 1000));
      for (let idle = 0; idle < 20; idle++) {
        const tag = receive();
        if (tag !== undefined) tags.push(tag);
        idle = tag === undefined ? idle : 0;
        await turns(1);
      }
      const ends = await Promise.all(sends);
      expect(await late).toBe('sent');
      expect(ends[13]).toBe('POOL_ERR_STALE_HANDLE');
      const sent = ends.flatMap((end, tag) => (end === 'sent' ? [tag] : []));
      expect(tags).toEqual([0, 0, ...sent, 1000]);
      expect(sent.length).toBeGreaterThan(25);
      expect(ends.filter((end) => end === 'enough').length).toBeGreaterThan(5);
      for (const [tag, fragment] of fragments.entries()) if (ends[tag] === 'enough') fragment.release();
    });

    it('leaves the fragment to its caller when it is not sent', async () => {
      fill();
      const fragment = take();
      expect(await settled(channel.sendAsync(fragment, 0, { timeoutMs: 0 }))).toBe('POOL_ERR_TIMEOUT');
      expect(await settled(channel.sendAsync(fragment, 0, { timeoutMs: 5 }))).toBe('POOL_ERR_TIMEOUT');
      expect(await settled(channel.sendAsync(fragment, 0, { signal: AbortSignal.abort(new Error('no')) }))).toBe('no');
      expect(await settled(channel.sendAsync(fragment, -1))).toBe('POOL_ERR_INVALID_ARGUMENT');
      expect(await settled(channel.sendAsync(fragment, 0, { time: 1 } as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      fragment.release();
      await expect(channel.sendAsync(fragment)).rejects.toThrow(/^sendAsync failed: /);
      await expect(channel.sendAsync({} as never)).rejects.toThrow(/^sendAsync failed: fragment=object/);
      const foreign = other.take() as Fragment;
      expect(await settled(channel.sendAsync(foreign as never))).toMatch(/INVALID_ARGUMENT|FOREIGN/);
      foreign.release();
    });

    it.each([
      ['the channel closes', 'POOL_ERR_CHANNEL_CLOSED', () => there.close()],
      ['the pool closes', 'POOL_ERR_CHANNEL_CLOSED', () => pool.destroy()],
    ])('ends for all that wait when %s, and afterwards', async (_when, code, end) => {
      fill();
      const fragments = [take(), take(), take()];
      const sends = fragments.map((fragment) => settled(channel.sendAsync(fragment)));
      await turns(2);
      end();
      expect(await Promise.all(sends)).toEqual([code, code, code]);
      for (const fragment of fragments) {
        expect(await settled(channel.sendAsync(fragment))).toBe(code);
        fragment.release();
      }
    });

    it('ends for all that wait when the thread detaches, and afterwards', async () => {
      fill();
      const fragments = [0, 1, 2].map(() => other.take(10) as Fragment);
      const sends = fragments.map((fragment) => settled(there.sendAsync(fragment)));
      await turns(2);
      other.detach({ release: true });
      const codes = await Promise.all(sends);
      expect(codes).toEqual(['POOL_ERR_DESTROYED', 'POOL_ERR_DESTROYED', 'POOL_ERR_DESTROYED']);
      expect(await settled(there.sendAsync(fragments[0] as Fragment))).toBe('POOL_ERR_DESTROYED');
    });

    it('never waits where the channel drops', async () => {
      for (const name of ['newest', 'oldest'] as const) {
        const dropping = pool.channel(name);
        for (let tag = 0; tag < 5; tag++) await dropping.sendAsync(take(), tag, { timeoutMs: 0 });
        expect([dropping.pending, dropping.dropped]).toEqual([2, 3]);
        for (let left = dropping.receive(); left !== null; left = dropping.receive()) left.release();
      }
    });
  });

  describe('fragments', () => {
    it('loops with its options until the channel is closed', async () => {
      const tags: number[] = [];
      for (let tag = 1; tag <= 2; tag++) await channel.sendAsync(take(), tag);
      for await (const fragment of there.fragments({ timeoutMs: HUNG_MS })) {
        tags.push(fragment.tag);
        fragment.release();
        if (fragment.tag === 2) channel.close();
      }
      expect(tags).toEqual([1, 2]);
    });

    it('ends with TIMEOUT or the signal’s reason, and leaves what it did not reach in the channel', async () => {
      const tags: number[] = [];
      const loop = async (options: object): Promise<void> => {
        for await (const fragment of there.fragments(options)) {
          tags.push(fragment.tag);
          fragment.release();
        }
      };
      await channel.sendAsync(take(), 1);
      expect(await settled(loop({ timeoutMs: 5 }))).toBe('POOL_ERR_TIMEOUT');
      const controller = new AbortController();
      const looping = settled(loop({ signal: controller.signal }));
      await channel.sendAsync(take(), 2);
      await turns(2);
      controller.abort(new Error('enough'));
      expect(await looping).toBe('enough');
      for (let tag = 3; tag <= 4; tag++) await channel.sendAsync(take(), tag);
      for await (const fragment of there) {
        tags.push(fragment.tag);
        fragment.release();
        break;
      }
      expect(tags).toEqual([1, 2, 3]);
      expect(receive()).toBe(4);
    });

    it('refuses bad options at the call, not in the loop', () => {
      expect(codeOf(() => channel.fragments({ timeoutMs: -1 }))).toBe('POOL_ERR_INVALID_ARGUMENT');
      expect(codeOf(() => channel.fragments(7 as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    });
  });

  it('waiting counts the threads that wait, on each side', async () => {
    expect(channel.waiting).toEqual({ senders: 0, receivers: 0 });
    const receivers = [channel.next(), channel.next(), there.next()];
    await until(() => there.waiting.receivers === 2);
    expect(there.waiting).toEqual({ senders: 0, receivers: 2 });
    for (let i = 0; i < 3; i++) await channel.sendAsync(take());
    for (const fragment of await Promise.all(receivers)) fragment?.release();
    fill();
    const send = channel.sendAsync(take());
    await until(() => there.waiting.senders === 1);
    expect(there.waiting).toEqual({ senders: 1, receivers: 0 });
    receive();
    await send;
    expect(channel.waiting).toEqual({ senders: 0, receivers: 0 });
    while (receive() !== undefined);
  });

  it('the statistics name every channel and count what went through', async () => {
    for (const name of ['a', 'newest', 'oldest'] as const) {
      for (let i = 0; i < 4; i++) {
        const fragment = take();
        if (!pool.channel(name).sendFragment(fragment)) fragment.release();
      }
      other.channel(name).receive()?.release();
    }
    const waiting = { senders: 0, receivers: 0 };
    const common = { capacity: 2, pending: 1, waiting, received: 1 };
    expect(other.stats().channels).toEqual([
      { ...common, name: 'a', sent: 2, dropped: 0 },
      { ...common, name: 'newest', sent: 2, dropped: 2 },
      { ...common, name: 'oldest', sent: 4, dropped: 2 },
    ]);
    for (const name of ['newest', 'oldest'] as const) other.channel(name).receive()?.release();
  });
});

describe('a channel that declares no capacity', () => {
  it.each([
    [64, 1, 32],
    [64, 2, 16],
    [64, 3, 10],
    [4, 1, 2],
    [4, 3, 1],
    [1, 1, 1],
    [1024, 2, 256],
    [1 << 16, 1, 256],
  ])('has, of %i pages and %i channels, room for %i entries', async (pageCount, count, capacity) => {
    const channels = Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`, {}]));
    const pool = await PagePool.create({ pageBytes: 256, pageCount, channels });
    const there = (await loadAnotherRealm()).PagePool.attach(pool.share() as never);
    for (const name of Object.keys(channels)) {
      expect([pool.channel(name).capacity, there.channel(name).capacity]).toEqual([capacity, capacity]);
    }
    there.detach();
    await pool.close();
  });

  it('is told from one that declares it', async () => {
    const pool = await PagePool.create({ pageCount: 64, channels: { a: {}, b: { capacity: 500 } } });
    expect([pool.channel('a').capacity, pool.channel('b').capacity]).toEqual([16, 500]);
    await pool.close();
  });
});
