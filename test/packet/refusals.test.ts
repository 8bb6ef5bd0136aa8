// What packets refuse, and that nothing changed then: wrong arguments, foreign and spent fragments, memory that nobody
// can read.

import { type Fragment, type MemoryProvider, PagePool } from 'pagepool';
import { lengthPrefixed, lines, Packet, receivePacket, sendPacket, takePacket } from 'pagepool/packet';
import { slabs } from 'pagepool/providers';
import { describe, expect, it } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { create, engineOptions, KINDS } from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { scripted } from '../support/scripted.js';
import { fragmentOf, textOf } from './support.js';

describe.each(KINDS)('with the %s engine', (kind) => {
  it('numbers that are no place in the packet are refused by every call', () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 8, maxPorts: 1 });
    const packet = new Packet().append(fragmentOf(pool, 'hello')).append(fragmentOf(pool, ' world'));
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
      () => new Packet().expandHead(4),
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
    const packet = new Packet().append(fragmentOf(pool, 'mine'));
    const foreign = fragmentOf(other, 'foreign');
    expect(codeOf(() => packet.append(foreign))).toBe('POOL_ERR_FOREIGN_HANDLE');
    const theirs = new Packet().append(foreign);
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
    const packet = new Packet().append(pool.take()!.slice(0, 100)).append(pool.take()!.slice(0, 100));
    const windows = packet.windows();
    const clone = packet.clone();
    expect(packet.coalesce()).toBe(false);
    expect(packet.expandHead(1, 4)).toBeNull();
    expect(packet.windows()).toEqual(windows);
    packet.release();
    clone.release();
    pool.destroy();
  });

  it('a window that was released by its number is refused, and nothing that was taken for its copy is lost', () => {
    for (const call of [(packet: Packet) => packet.expandHead(8, 4), (packet: Packet) => packet.coalesce()]) {
      const pool = create(kind, { pageBytes: 256, pageCount: 8, maxPorts: 1 });
      const whole = pool.alloc();
      const packet = new Packet().append(pool.fragment(whole, 0, 100)).append(fragmentOf(pool, 'hello'));
      pool.release(whole); // and its reference is the packet's
      expect(codeOf(() => call(packet))).toBe('POOL_ERR_STALE_HANDLE');
      expect(codeOf(() => packet.release())).toBe('POOL_ERR_STALE_HANDLE');
      expectAllHome(pool);
      pool.destroy();
    }
  });

  it('a head that takes the place of a window that was released by its number counts its bytes all the same', () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 8, maxPorts: 1 });
    const whole = pool.alloc();
    const packet = new Packet().append(pool.fragment(whole, 0, 4)).append(fragmentOf(pool, 'hello'));
    packet.getUint8(0); // its view is there: the copy does not ask for it again
    pool.release(whole); // and its reference is the packet's
    expect(codeOf(() => packet.expandHead(8, 4))).toBe('POOL_ERR_STALE_HANDLE');
    expect(packet.length).toBe(8 + 4 + 5);
    expect(packet.windows().map(({ length }) => length)).toEqual([12, 5]);
    expect(textOf(packet).slice(12)).toBe('hello');
    packet.release();
    expectAllHome(pool);
    pool.destroy();
  });

  it('small pieces are joined only when all of them can be read: nothing is lost and nothing released twice', async () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 64, maxPorts: 1 });
    const piece = (length: number): Fragment => fragmentOf(pool, new Uint8Array(length));
    const large = piece(200);
    const ours = large.retain();
    const gone = pool.alloc();
    function* source() {
      yield fragmentOf(pool, Uint8Array.of(0, 0, 16, 0)); // a message of 4,096 bytes begins
      for (let i = 0; i < 40; i++) yield piece(10);
      const last = new Packet()
        .append(piece(10))
        .append(large)
        .append(pool.fragment(gone, 0, 10));
      pool.release(gone); // and its reference is the packet's
      yield last;
    }
    const messages = lengthPrefixed(source());
    await expect(messages.next()).rejects.toMatchObject({ code: 'POOL_ERR_STALE_HANDLE' });
    expect([ours.bytes.length, pool.refCount(ours.handle)]).toEqual([200, 1]);
    ours.release();
    expectAllHome(pool);
    pool.destroy();
  });

  it.each<[name: string, call: (packet: Packet, other: Packet, pool: PagePool) => unknown]>([
    ['append a packet', (packet, other) => packet.append(other)],
    ['prepend a packet', (packet, other) => packet.prepend(other)],
    ['slice', (packet) => packet.slice(2)],
    ['clone', (packet) => packet.clone()],
    ['split inside of a window', (packet) => packet.split(3)],
    ['split off nothing', (packet) => packet.split(packet.length)],
    ['consume a part of a window', (packet) => packet.consume(2)],
    ['consume a window', (packet) => packet.consume(5)],
    ['consume all', (packet) => packet.consume(packet.length)],
    ['release', (packet) => packet.release()],
    ['take a packet', (_packet, _other, pool) => takePacket(pool, 10)],
    ['take a packet of several pages', (_packet, _other, pool) => takePacket(pool, 3000)],
  ])('inside of a provider’s callback a call to %s is refused, and the packet is as it was', (_, call) => {
    let [code, parts, length]: unknown[] = [];
    let pool: PagePool | undefined;
    let packet = new Packet();
    let other = new Packet();
    const { provider, addRegion } = scripted({
      grow: (context) => {
        const { firstPage } = addRegion(context, 2);
        if (pool !== undefined) {
          code = codeOf(() => call(packet, other, pool as PagePool));
          [parts, length] = [packet.parts, packet.length];
        }
        context.feed(Uint32Array.of(firstPage, firstPage + 1));
      },
    });
    const options = { pageBytes: 1024, pageCount: 8, maxPorts: 1, provider };
    const made = PagePool.createSync({ ...options, ...engineOptions(kind === 'checked' ? 'typescript' : kind) });
    packet = new Packet().append(fragmentOf(made, 'hello')).append(fragmentOf(made, ' world'));
    other = new Packet().append(fragmentOf(made, '!'));
    const pages = [];
    for (let page = made.alloc(); page !== 0 && code === undefined; page = made.alloc()) {
      pages.push(page);
      pool = made;
    }
    expect([code, parts, length]).toEqual(['POOL_ERR_PROVIDER', 2, 11]);
    expect([textOf(packet), textOf(other)]).toEqual(['hello world', '!']);
    made.detach({ release: true });
  });

  it.each([
    ['the packet', 'its clone'],
    ['its clone', 'the packet'],
  ])('a packet that found no room has its reference together with its clone again: %s goes first', (first) => {
    const pool = create(kind, {
      pageBytes: 256,
      pageCount: 8,
      maxPorts: 1,
      channels: { work: { capacity: 1, batch: 1 } },
    });
    const channel = pool.channel('work');
    expect(sendPacket(channel, new Packet().append(fragmentOf(pool, 'first')))).toBe(true);
    const packet = new Packet().append(fragmentOf(pool, 'hello'));
    const clone = packet.clone();
    const handle = packet.windows()[0]?.handle as number;
    for (let time = 0; time < 2; time++) {
      expect([sendPacket(channel, packet), pool.refCount(handle), packet.length]).toEqual([false, 1, 5]);
    }
    const [one, other] = first === 'the packet' ? [packet, clone] : [clone, packet];
    one.release();
    expect([pool.refCount(handle), textOf(other)]).toEqual([1, 'hello']);
    expect(codeOf(() => pool.refCount(handle))).toBe('POOL_ERR_STALE_HANDLE');
    receivePacket(channel)?.release();
    expectAllHome(pool);
    pool.destroy();
  });

  it('more windows than the stack has room for go in front of others', () => {
    const count = 131_000;
    const pool = create(kind, { pageBytes: 65_536, unitBytes: 64, pageCount: 160, maxPorts: 1 });
    const many = new Packet();
    for (let i = 0; i < count; i++) many.append(pool.fragment(pool.allocFragment(64), 0, 1));
    const packet = new Packet().append(fragmentOf(pool, 'end')).prepend(many);
    expect([packet.length, packet.parts]).toEqual([count + 3, count + 1]);
    packet.release();
    expectAllHome(pool);
    pool.destroy();
  });

  it('a destroyed pool refuses, and the end of a using block does not', () => {
    const pool = create(kind, { pageBytes: 256, pageCount: 4, maxPorts: 1 });
    const packet = new Packet().append(fragmentOf(pool, 'hello'));
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
    const packet = new Packet().append(fragmentOf(pool, 'hello'));
    packet[Symbol.dispose]();
    packet[Symbol.dispose]();
    packet.release();
    expect(packet.length).toBe(0);
    expectAllHome(pool);
    pool.destroy();
  });

  describe('memory that the processor cannot look at', () => {
    /** A pool of eight such pages; with a reserve of four that can be read. */
    function open(hasReserve: boolean): PagePool {
      const dark: MemoryProvider = {
        kind: 'dark',
        readable: false,
        detachable: true,
        init: (context) => {
          const { firstPage } = context.addArea({ byteLength: 8 * context.pool.pageBytes }, 8);
          context.feed(Uint32Array.from({ length: 8 }, (_, i) => firstPage + i));
        },
        grow: () => {},
        retire: () => {},
        describe: () => ({}),
        destroy: () => {},
      };
      return PagePool.createSync({
        ...engineOptions(kind === 'checked' ? 'typescript' : kind),
        pageBytes: 16_384,
        pageCount: 8,
        maxPorts: 1,
        channels: { work: { batch: 8 } },
        provider: dark,
        ...(hasReserve ? { reserve: { provider: slabs({ slabBytes: 65_536 }), pageCount: 4 } } : {}),
      });
    }
    const take = (pool: PagePool): Fragment => {
      const handle = pool.alloc();
      if (handle === 0) throw new Error('the pool is empty');
      return pool.fragment(handle, 0, 100);
    };
    const held = (pool: PagePool): number => pool.audit().references.ledgers + pool.audit().references.channels;

    it('is sent, cut, shared and received, and never read', async () => {
      const pool = open(false);
      const packet = new Packet().append(take(pool)).append(take(pool));
      expect(packet.isReadable).toBe(false);
      for (const call of [
        () => packet.getUint8(0),
        () => packet.getFloat64(96),
        () => packet.copyTo(new Uint8Array(200)),
        () => packet.copyTo(new Uint8Array(0), 0, 0, 0),
        () => packet.indexOf(0),
        () => packet.toBuffers(),
        () => [...packet],
        () => packet.expandHead(4, 4),
        () => packet.expandHead(4),
        () => packet.coalesce(),
      ]) {
        expect(codeOf(call), String(call)).toBe('POOL_ERR_UNREADABLE');
      }
      const rest = packet.split(150);
      rest.append(packet.clone()).append(packet.slice(20, 30));
      packet.consume(120);
      expect({ ...rest.windows()[0], handle: 0 }).toEqual({ handle: 0, offset: 50, length: 50 });
      expect(sendPacket(pool.channel('work'), rest, 3)).toBe(true);
      const received = receivePacket(pool.channel('work'));
      expect({ isReadable: received?.isReadable, length: received?.length }).toEqual({
        isReadable: false,
        length: 230,
      });
      received?.release();
      const reading = async () => {
        for await (const line of lines([packet])) line.release();
      };
      await expect(reading()).rejects.toMatchObject({ code: 'POOL_ERR_UNREADABLE' });
      expect(packet.isReadable).toBe(true); // it is empty
      expect(held(pool)).toBe(0);
      pool.destroy();
    });

    it('never mixes with memory that is read, in either order, and is no place to copy to', () => {
      const pool = open(true);
      const all = Array.from({ length: 12 }, () => take(pool));
      const isReadable = (each: Fragment): boolean => pool.isReadable(each.handle);
      const [dark, light] = [all.filter((each) => !isReadable(each)), all.filter(isReadable)];
      expect([dark.length, light.length]).toEqual([8, 4]);
      const [hidden, readable] = [new Packet().append(dark[0]!), new Packet().append(light[0]!)];
      for (const call of [
        () => hidden.append(light[1]!),
        () => hidden.prepend(readable),
        () => readable.append(hidden),
        () => readable.prepend(dark[1]!),
      ]) {
        expect(codeOf(call), String(call)).toBe('POOL_ERR_UNREADABLE');
      }
      hidden.append(dark[1]!);
      readable.append(light[1]!);
      expect([hidden.length, readable.length]).toEqual([200, 200]);
      // The only pages that come back now cannot be written: as if there were none.
      dark[2]!.release();
      expect(pool.isReadable(readable.windows()[0]!.handle)).toBe(true);
      expect(readable.coalesce()).toBe(false);
      const clone = readable.clone();
      expect(readable.expandHead(8, 4)).toBeNull();
      expect(readable.parts).toBe(2);
      for (const each of [...dark.slice(3), ...light.slice(2), hidden, readable, clone]) each.release();
      expect(held(pool)).toBe(0);
      pool.destroy();
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
