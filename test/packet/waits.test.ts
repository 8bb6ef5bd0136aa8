// Packets that wait: for room, for messages, and for as many pages as they need, all of them or none.

import { type Channel, type Fragment, PagePool } from 'pagepool';
import { Packet, packets, receivePacket, sendPacketAsync, takePacket, takePacketAsync } from 'pagepool/packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONTROL_BASE, HEADER_PORTS_OFFSET, PORT_BELL_OFFSET, PORT_BYTES } from '../../assembly/layout.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { HUNG_MS, orHung, turns, until } from '../support/waiting.js';

const PAGE = 4096;

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;
  let other: PagePool;
  let channel: Channel;
  let there: Channel;
  let theirs: typeof import('pagepool/packet');

  beforeEach(async () => {
    pool = PagePool.createSync({ engine, pageCount: 8, maxPorts: 2, channels: { a: { capacity: 4, batch: 4 } } });
    other = (await loadAnotherRealm()).PagePool.attach(pool.share() as never) as unknown as PagePool;
    theirs = await import('pagepool/packet');
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

  const packetOf = (...bytes: number[]): Packet =>
    bytes.reduce((packet, length) => packet.append(pool.take(length) as Fragment), new Packet());
  const settled = (promise: Promise<unknown>): Promise<string> =>
    orHung(
      promise.then(
        () => 'done',
        (error: { code?: string; message: string }) => error.code ?? error.message,
      ),
      'a wait',
    );

  describe('sendPacketAsync', () => {
    it('sends at once where there is room, and else waits for as much as the packet needs', async () => {
      const first = packetOf(10, 20, 30);
      await sendPacketAsync(channel, first, 1);
      expect(first.parts).toBe(0);
      const second = packetOf(1, 2);
      const sent = settled(sendPacketAsync(channel, second, 2, { timeoutMs: HUNG_MS }));
      await turns(2);
      expect([second.parts, channel.waiting]).toEqual([2, { senders: 1, receivers: 0 }]);
      // Waits behind the packet, though there is room for one entry.
      const third = settled(channel.sendAsync(pool.take(5) as Fragment, 3));
      await turns(2);
      const tags: number[] = [];
      while (tags.length < 3) {
        const message = theirs.receivePacket(there as never);
        if (message === null) await turns(1);
        else {
          tags.push(message.tag);
          message.release();
        }
      }
      expect([await sent, await third, ...tags]).toEqual(['done', 'done', 1, 2, 3]);
    });

    it('leaves the packet to its caller when it is not sent', async () => {
      await sendPacketAsync(channel, packetOf(1, 2, 3, 4));
      const packet = packetOf(7, 8);
      expect(await settled(sendPacketAsync(channel, packet, 0, { timeoutMs: 0 }))).toBe('POOL_ERR_TIMEOUT');
      expect(await settled(sendPacketAsync(channel, packet, 0, { timeoutMs: 5 }))).toBe('POOL_ERR_TIMEOUT');
      const signal = AbortSignal.abort(new Error('no'));
      expect(await settled(sendPacketAsync(channel, packet, 0, { signal }))).toBe('no');
      expect(await settled(sendPacketAsync(channel, packet, -1))).toBe('POOL_ERR_INVALID_ARGUMENT');
      await expect(sendPacketAsync(channel, new Packet())).rejects.toThrow(
        /^sendPacketAsync failed: the packet's parts/,
      );
      await expect(sendPacketAsync(pool as never, packet)).rejects.toThrow(/^sendPacketAsync failed: channel=/);
      const waiting = settled(sendPacketAsync(channel, packet));
      await turns(1);
      there.close();
      expect(await waiting).toBe('POOL_ERR_CHANNEL_CLOSED');
      expect(packet.length).toBe(15);
      packet.release();
      receivePacket(channel)?.release();
    });
  });

  it('packets loops with its options, and refuses bad ones at the call', async () => {
    expect(codeOf(() => packets(channel, { timeoutMs: -1 }))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(codeOf(() => packets({} as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    await sendPacketAsync(channel, packetOf(1, 2), 5);
    const tags: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const packet of packets(channel, { timeoutMs: 5 })) {
        tags.push(packet.tag);
        packet.release();
      }
    };
    expect(await settled(loop())).toBe('POOL_ERR_TIMEOUT');
    expect(tags).toEqual([5]);
  });

  describe('takePacket', () => {
    it.each([1, 100, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 500, 8 * PAGE])('has room for %i bytes', (bytes) => {
      const packet = takePacket(pool, bytes) as Packet;
      expect([packet.length, packet.parts]).toEqual([bytes, Math.ceil(bytes / PAGE)]);
      for (const [i, view] of packet.toBuffers().entries()) view.fill(i + 1);
      expect(packet.getUint8(bytes - 1)).toBe(packet.parts);
      packet.release();
    });

    it('is null, and takes nothing, when there are too few pages', () => {
      const held = [0, 1, 2].map(() => pool.take() as Fragment);
      const before = pool.audit().references;
      for (const bytes of [5 * PAGE + 1, 6 * PAGE, 8 * PAGE]) {
        expect(takePacket(pool, bytes)).toBe(null);
        expect(pool.audit().references).toEqual(before);
      }
      takePacket(pool, 5 * PAGE)?.release();
      for (const fragment of held) fragment.release();
    });

    it('refuses what is no size, and what the pool can never have', () => {
      for (const bytes of [0, -1, 1.5, Number.NaN, '1', undefined]) {
        expect(codeOf(() => takePacket(pool, bytes as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
      expect(() => takePacket(pool, 8 * PAGE + 1)).toThrow(RangeError);
      expect(() => takePacket({} as never, 1)).toThrow(/^takePacket failed: pool=object/);
    });
  });

  describe('takePacketAsync', () => {
    it('waits until there are enough, wherever they are', async () => {
      const held = Array.from({ length: 8 }, () => other.take() as Fragment);
      const taking = takePacketAsync(pool, 6 * PAGE + 10, { timeoutMs: HUNG_MS });
      for (const fragment of held.slice(0, 6)) {
        await turns(2);
        fragment.release();
      }
      await turns(20);
      expect(pool.stats().pages.used).toBe(2);
      held[6]?.release();
      // The other thread keeps what it released in its cache until it is asked, as any thread is that stands still.
      other.poll();
      const packet = await taking;
      expect([packet.length, packet.parts]).toEqual([6 * PAGE + 10, 7]);
      packet.release();
      held[7]?.release();
    });

    it('takes nothing while there are too few: two that wait do not wake each other', async () => {
      const held = Array.from({ length: 3 }, () => pool.take() as Fragment);
      const waits = [takePacketAsync(pool, 8 * PAGE), theirs.takePacketAsync(other as never, 6 * PAGE)];
      await turns();
      const share = pool.share() as { memory: { buffer?: ArrayBufferLike } | SharedArrayBuffer };
      const buffer = (share.memory as { buffer?: ArrayBufferLike }).buffer ?? (share.memory as SharedArrayBuffer);
      const words = new Int32Array(buffer);
      const ports = words[(CONTROL_BASE + HEADER_PORTS_OFFSET) >>> 2] as number;
      const bells = (): unknown[] => [0, 1].map((id) => words[(ports + id * PORT_BYTES + PORT_BELL_OFFSET) >>> 2]);
      const before = bells();
      await turns(50);
      expect(bells()).toEqual(before);
      expect(pool.stats().pages.used).toBe(3);
      // Five are left for those that want one.
      const ones = Array.from({ length: 5 }, () => other.take() as Fragment);
      expect(ones).not.toContain(null);
      for (const fragment of [...held, ...ones]) fragment.release();
      let done = 0;
      for (const wait of waits) {
        void wait.then((packet) => {
          done++;
          packet.release();
        });
      }
      await until(() => {
        pool.poll();
        other.poll();
        return done === 2;
      });
    });

    it('goes on between threads that all want more than half of the pages', async () => {
      const rounds = 30;
      const use = async (of: PagePool, take: typeof takePacketAsync): Promise<void> => {
        for (let i = 0; i < rounds; i++) {
          const packet = await take(of, (5 + (i % 3)) * PAGE);
          await turns(1);
          packet.release();
        }
      };
      const takers = [
        use(pool, takePacketAsync),
        use(pool, takePacketAsync),
        use(other, theirs.takePacketAsync as never),
      ];
      await orHung(Promise.all(takers), 'takers');
    });

    it('ends by time, signal and the end of the pool', async () => {
      const held = Array.from({ length: 8 }, () => pool.take() as Fragment);
      expect(await settled(takePacketAsync(pool, PAGE, { timeoutMs: 5 }))).toBe('POOL_ERR_TIMEOUT');
      const controller = new AbortController();
      const aborted = settled(takePacketAsync(pool, 2 * PAGE, { signal: controller.signal }));
      const detached = settled(theirs.takePacketAsync(other as never, 2 * PAGE));
      await turns(2);
      controller.abort(new Error('enough'));
      other.detach();
      expect([await aborted, await detached]).toEqual(['enough', 'POOL_ERR_DESTROYED']);
      const closing = settled(takePacketAsync(pool, 2 * PAGE));
      await turns(2);
      pool.destroy();
      expect(await closing).toBe('POOL_ERR_CLOSING');
      await expect(takePacketAsync(pool, 9 * PAGE)).rejects.toThrow(RangeError);
      for (const fragment of held) fragment.release();
      other = pool = PagePool.createSync({ engine });
      channel = { receive: () => null } as never;
    });
  });
});
