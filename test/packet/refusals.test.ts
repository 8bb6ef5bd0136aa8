// What packets refuse, and that nothing changed then: wrong arguments, foreign and spent fragments, memory that nobody can read.

import { PagePool } from 'pagepool';
import { Packet as PublicPacket } from 'pagepool/packet';
import { describe, expect, it } from 'vitest';
import { FLAG_READABLE } from '../../assembly/layout.js';
import { Channel } from '../../src/channel/channel.js';
import { lines } from '../../src/packet/framing.js';
import { Packet } from '../../src/packet/packet.js';
import { receivePacket, sendPacket } from '../../src/packet/travel.js';
import { Fragment } from '../../src/pool/fragment.js';
import type { Port } from '../../src/pool/port.js';
import { create, KINDS, openPorts, requireBalance } from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { expectAllHome, fragmentOf, textOf } from './support.js';

describe.each(KINDS)('with the %s engine', (kind) => {
  it('numbers that are no place in the packet are refused by every call', () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 8, maxPorts: 1 });
    const packet = new PublicPacket().append(fragmentOf(pool, 'hello')).append(fragmentOf(pool, ' world'));
    for (const bad of [-1, 12, 1.5, NaN, Infinity, '1', null, {}]) {
      const number = bad as number;
      for (const call of [
        () => packet.slice(number),
        () => packet.slice(0, number),
        () => packet.split(number),
        () => packet.consume(number),
        () => packet.copyTo(new Uint8Array(20), 0, number),
        () => packet.copyTo(new Uint8Array(20), 0, 0, number),
        () => packet.copyTo(new Uint8Array(20), number === 12 ? 10 : number),
        () => packet.indexOf('x', number),
        () => packet.getUint8(number === 12 ? 11 : number),
        () => packet.getUint32(number === 12 ? 8 : number),
        () => packet.getBigInt64(number === 12 ? 4 : number),
        () => packet.expandHead(0, number),
      ]) {
        expect(codeOf(call), `${String(bad)} in ${call}`).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
    }
    expect(() => packet.expandHead(250, 7)).toThrow(RangeError);
    for (const call of [
      () => packet.expandHead(0),
      () => packet.indexOf(256),
      () => packet.indexOf(null as never),
      () => packet.copyTo([] as never),
      () => packet.append(packet),
      () => packet.prepend('x' as never),
      () => new PublicPacket().expandHead(4),
    ]) {
      expect(codeOf(call), String(call)).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    expect(textOf(packet)).toBe('hello world');
    expectAllHome(pool);
    pool.destroy();
  });

  it("spent fragments and another pool's are refused, and stay whose they are", () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 8, maxPorts: 1 });
    const other = create(kind, { pageBytes: 256, pageCount: 8, maxPorts: 1 });
    const packet = new PublicPacket().append(fragmentOf(pool, 'mine'));
    const foreign = fragmentOf(other, 'foreign');
    expect(codeOf(() => packet.append(foreign))).toBe('POOL_ERR_FOREIGN_HANDLE');
    const theirs = new PublicPacket().append(foreign);
    expect(codeOf(() => packet.prepend(theirs))).toBe('POOL_ERR_FOREIGN_HANDLE');
    expect(codeOf(() => packet.append(foreign))).toBe('POOL_ERR_STALE_HANDLE');
    expect(textOf(theirs)).toBe('foreign');
    expect(textOf(packet)).toBe('mine');
    // An empty packet belongs to nobody.
    expect(textOf(packet.append(fragmentOf(other, 'theirs now')))).toBe('theirs now');
    expectAllHome(pool);
    expectAllHome(other);
    pool.destroy();
    other.destroy();
  });

  it('an empty pool is a value: heads and copies are not made, and the packet is as it was', () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 2, maxPorts: 1 });
    const packet = new PublicPacket().append(pool.take()!.slice(0, 100)).append(pool.take()!.slice(0, 100));
    const windows = packet.windows();
    const clone = packet.clone();
    expect(packet.coalesce()).toBe(false);
    expect(packet.expandHead(1, 4)).toBeNull();
    expect(packet.windows()).toEqual(windows);
    packet.release();
    clone.release();
    pool.destroy();
  });

  it('a destroyed pool refuses, and the end of a using block does not', () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 4, maxPorts: 1 });
    const packet = new PublicPacket().append(fragmentOf(pool, 'hello'));
    const unread = packet.clone();
    const kept = packet.clone();
    pool.detach({ release: true });
    for (const call of [
      () => packet.clone(),
      () => packet.coalesce() && packet.expandHead(1),
      () => packet.release(),
      () => unread.getUint8(0),
    ]) {
      expect(codeOf(call)).toBe('POOL_ERR_DESTROYED');
    }
    expect(() => kept[Symbol.dispose]()).not.toThrow();
  });

  it('using releases a packet once', () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 4, maxPorts: 1 });
    const packet = new PublicPacket().append(fragmentOf(pool, 'hello'));
    packet[Symbol.dispose]();
    packet[Symbol.dispose]();
    packet.release();
    expect(packet.length).toBe(0);
    expectAllHome(pool);
    pool.destroy();
  });

  describe('memory that the processor cannot look at', () => {
    /** A port whose pages nobody reads: what its control region says of every page of such a provider. */
    function unreadable(): { port: Port; set(isReadable: boolean): void } {
      const [port] = openPorts({ pageBytes: 256, pageCount: 8, channels: { work: { batch: 8 } } }, [kind]) as [Port];
      const geometry = { ...port.geometry };
      const flags = geometry.flags;
      const hidden = { ...port, geometry } as Port;
      const set = (isReadable: boolean) => {
        (geometry as { flags: number }).flags = isReadable ? flags : flags & ~FLAG_READABLE;
      };
      set(false);
      return { port: hidden, set };
    }
    const fragment = (port: Port): Fragment => new Fragment(port, port.engine.allocFragment(100), 0, 100, 0);

    it('is sent, cut, shared and received, and never read', async () => {
      const { port } = unreadable();
      const packet = new Packet().append(fragment(port)).append(fragment(port));
      expect(packet.isReadable).toBe(false);
      for (const call of [
        () => packet.getUint8(0),
        () => packet.getFloat64(96),
        () => packet.copyTo(new Uint8Array(200)),
        () => packet.indexOf(0),
        () => packet.toBuffers(),
        () => [...packet],
        () => packet.expandHead(4, 4),
        () => packet.coalesce(),
      ]) {
        expect(codeOf(call), String(call)).toBe('POOL_ERR_UNREADABLE');
      }
      const rest = packet.split(150);
      rest.append(packet.clone()).append(packet.slice(20, 30));
      packet.consume(120);
      expect({ ...rest.windows()[0], handle: 0 }).toEqual({ handle: 0, offset: 50, length: 50 });
      const channel = new Channel(port, 0);
      expect(sendPacket(channel, rest, 3)).toBe(true);
      const received = receivePacket(channel);
      expect({ isReadable: received?.isReadable, length: received?.length }).toEqual({
        isReadable: false,
        length: 230,
      });
      received?.release();
      await expect(
        (async () => {
          for await (const line of lines([packet])) line.release();
        })(),
      ).rejects.toMatchObject({ code: 'POOL_ERR_UNREADABLE' });
      expect(packet.isReadable).toBe(true); // it is empty
      port.engine.park();
      port.engine.trim();
      expect(requireBalance(port).pages.used).toBe(0);
    });

    it('never mixes with memory that is read, in either order', () => {
      const { port, set } = unreadable();
      const hidden = new Packet().append(fragment(port));
      const dark = fragment(port);
      set(true);
      const light = fragment(port);
      expect(codeOf(() => hidden.append(light))).toBe('POOL_ERR_UNREADABLE');
      const readable = new Packet().append(light);
      expect(codeOf(() => hidden.prepend(readable))).toBe('POOL_ERR_UNREADABLE');
      expect(codeOf(() => readable.append(hidden))).toBe('POOL_ERR_UNREADABLE');
      set(false);
      expect(codeOf(() => readable.prepend(dark))).toBe('POOL_ERR_UNREADABLE');
      expect([hidden.length, readable.length]).toEqual([100, 100]);
      hidden.append(dark);
      for (const packet of [hidden, readable]) packet.release();
      expect(requireBalance(port).references.ledgers).toBe(0);
    });
  });
});

it('pools of this platform are readable', () => {
  const pool = PagePool.createSync({ pageCount: 2 });
  const handle = pool.alloc();
  expect(pool.isReadable(handle)).toBe(true);
  pool.release(handle);
  pool.destroy();
});
