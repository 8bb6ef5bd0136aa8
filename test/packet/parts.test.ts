// Packets of which the second or third part fails: nothing is half done, no reference is lost, and the next call is as
// good as the first.

import { type Fragment, PagePool } from 'pagepool';
import { Packet, receivePacket, sendPacket, takePacket } from 'pagepool/packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, KINDS } from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { scripted } from '../support/scripted.js';
import { bytesOf, fragmentOf } from './support.js';

/** As many references as one thread can have on one page. */
const MOST = 65_535;

describe.each(KINDS)('with the %s engine', (kind) => {
  let pool: PagePool;

  beforeEach(() => {
    pool = create(kind, { pageBytes: 1024, pageCount: 6, maxPorts: 3, channels: { work: { capacity: 8, batch: 4 } } });
  });
  afterEach(() => pool.detach({ release: true }));

  /** A packet of whole pages; each has its own byte. */
  function packetOfPages(count: number): Packet {
    const packet = new Packet();
    for (let i = 0; i < count; i++) packet.append(fragmentOf(pool, new Uint8Array(1000).fill(i + 1)));
    return packet;
  }
  const references = (packet: Packet): number[] => packet.windows().map(({ handle }) => pool.refCount(handle));
  /** From here on this thread can have no other reference on the part's page. */
  const fill = (packet: Packet, part: number): number => {
    const handle = packet.windows()[part]?.handle as number;
    pool.retain(handle, MOST - 1);
    return handle;
  };
  const takeAll = (): Fragment[] => {
    const taken: Fragment[] = [];
    for (let page = pool.take(); page !== null; page = pool.take()) taken.push(page);
    return taken;
  };

  it('windows cut from one another have one reference, which the last of them gives back', () => {
    const packet = packetOfPages(3);
    const handles = packet.windows().map(({ handle }) => handle);
    const slices = [packet.slice(900, 1200), packet.clone(), packet.split(1500), packet.slice(0, 1)];
    expect(handles.map((handle) => pool.refCount(handle))).toEqual([1, 1, 1]);
    expect(pool.audit()).toMatchObject({ balanced: true, references: { ledgers: 3 } });
    // The packet that was there first goes first.
    for (const each of [packet, ...slices.slice(0, -1)]) each.release();
    expect(handles.slice(1).map((handle) => codeOf(() => pool.refCount(handle)))).toEqual(
      Array(2).fill('POOL_ERR_STALE_HANDLE'),
    );
    expect([pool.refCount(handles[0] as number), bytesOf(slices.at(-1) as Packet)[0]]).toEqual([1, 1]);
    slices.at(-1)?.release();
    expect(pool.stats().pages.used).toBe(0);
  });

  it('a window that leaves takes a reference along, and the others keep theirs', () => {
    const packet = packetOfPages(2);
    const [first] = packet.windows();
    const work = pool.channel('work');
    const clone = packet.clone();
    expect(sendPacket(work, clone)).toBe(true);
    expect(references(packet)).toEqual([2, 2]);
    const shifted = packet.slice(0, 10).shift() as Fragment;
    expect(pool.refCount(first?.handle as number)).toBe(3);
    packet.release();
    const came = receivePacket(work) as Packet;
    expect([...new Set(bytesOf(came)), shifted.bytes[0]]).toEqual([1, 2, 1]);
    came.release();
    expect(references(new Packet().append(shifted.retain()))).toEqual([2]);
    shifted.release();
  });

  it('windows of one share in one packet go along together', () => {
    const page = fragmentOf(pool, new Uint8Array(1000).fill(7));
    const packet = new Packet().appendSlice(page, 0, 10).appendSlice(page, 10, 20).appendSlice(page, 900);
    expect([packet.length, packet.parts, pool.refCount(page.handle)]).toEqual([130, 3, 2]);
    const { handle } = page;
    page.release();
    expect(sendPacket(pool.channel('work'), packet)).toBe(true);
    expect(pool.refCount(handle)).toBe(3);
    const came = receivePacket(pool.channel('work')) as Packet;
    expect([came.parts, [...new Set(bytesOf(came))]]).toEqual([3, [7]]);
    came.release();
    expect(pool.stats().pages.used).toBe(0);
  });

  it.each([0, 1, 2])('a clone whose part %d cannot have a reference of its own stays as it is', (part) => {
    const packet = packetOfPages(3);
    const handle = fill(packet, part);
    const before = references(packet);
    const clone = packet.clone();
    const calls = [() => sendPacket(pool.channel('work'), clone), () => packet.slice(1000 * part, 5).shift()];
    for (const call of [...calls, ...calls]) expect(codeOf(call)).toBe('POOL_ERR_REF_OVERFLOW');
    expect(references(packet)).toEqual(before);
    expect([clone.length, clone.parts, bytesOf(clone)[2500]]).toEqual([3000, 3, 3]);
    pool.release(handle);
    expect(sendPacket(pool.channel('work'), clone)).toBe(true);
    const come = receivePacket(pool.channel('work')) as Packet;
    expect(bytesOf(come)).toEqual(bytesOf(packet));
    come.release();
  });

  it('a packet that finds no room, or a closed channel, has the references that it had', () => {
    const packet = packetOfPages(2);
    const work = pool.channel('work');
    const clones = Array.from({ length: 5 }, () => packet.clone());
    const sent = clones.filter((clone) => sendPacket(work, clone));
    expect(sent).toHaveLength(4);
    const before = references(packet);
    expect([sendPacket(work, clones[4] as Packet), references(packet)]).toEqual([false, before]);
    work.close();
    expect(codeOf(() => sendPacket(work, clones[4] as Packet))).toBe('POOL_ERR_CHANNEL_CLOSED');
    expect(references(packet)).toEqual(before);
  });

  it('a slice of a fragment is refused outside of it, and of another pool', () => {
    const page = fragmentOf(pool, new Uint8Array(1000).fill(1));
    const packet = new Packet().appendSlice(page);
    const wrong = [
      [page, -1],
      [page, 1001],
      [page, 0, 1001],
      [page, 960, 41],
      [page, 1.5],
      [page, 0, '1'],
      [packet, 0],
    ] as unknown as [Fragment, number, number][];
    for (const [one, offset, length] of wrong)
      expect(codeOf(() => packet.appendSlice(one, offset, length))).toBe('POOL_ERR_INVALID_ARGUMENT');
    const { handle } = page;
    page.release();
    expect(codeOf(() => packet.appendSlice(page))).toBe('POOL_ERR_STALE_HANDLE');
    expect([packet.parts, pool.refCount(handle)]).toEqual([1, 1]);
    packet.release();
    expect(pool.stats().pages.used).toBe(0);
  });

  it('a copy for which the second page is missing keeps the bytes where they are, and no page', () => {
    const packet = new Packet();
    for (let i = 0; i < 4; i++) packet.append(fragmentOf(pool, new Uint8Array(500).fill(i + 1)));
    const others = takeAll();
    others.pop()?.release(); // one page, and two are needed
    const windows = packet.windows();
    const held = pool.audit().references.ledgers;
    for (let i = 0; i < 2; i++) expect(packet.coalesce()).toBe(false);
    expect([packet.windows(), pool.audit().references.ledgers]).toEqual([windows, held]);
    expect(pool.take()).not.toBe(null); // the one page is there still
    others.pop()?.release();
    for (const other of others) other.release();
    expect(packet.coalesce()).toBe(true);
    expect(packet.windows().map(({ length }) => length)).toEqual([1024, 976]);
    expect([...new Set(bytesOf(packet))]).toEqual([1, 2, 3, 4]);
  });

  it('a packet whose last fragment is missing takes no page', () => {
    const others = takeAll();
    for (const other of others.splice(0, 2)) other.release();
    const held = pool.audit().references.ledgers;
    for (let i = 0; i < 2; i++) expect(takePacket(pool, 2 * 1024 + 1)).toBe(null);
    expect(pool.audit().references.ledgers).toBe(held);
    const packet = takePacket(pool, 2 * 1024);
    expect(packet?.parts).toBe(2);
    for (const other of others) other.release();
  });

  it('a provider that fails for the last fragment leaves no page with anybody', () => {
    let isBroken = false;
    const { provider, addRegion } = scripted({
      grow: (context, count) => {
        if (isBroken) throw new Error('no more');
        isBroken = true;
        const pages = Math.min(2, count);
        const { firstPage } = addRegion(context, pages);
        context.feed(Uint32Array.from({ length: pages }, (_, i) => firstPage + i));
      },
    });
    const poor = create(kind, { pageBytes: 1024, pageCount: 6, maxPorts: 3, provider });
    expect(codeOf(() => takePacket(poor, 2 * 1024 + 1))).toBe('POOL_ERR_PROVIDER');
    expect(poor.audit()).toMatchObject({ balanced: true, pages: { used: 0 }, references: { ledgers: 0 } });
    expect(takePacket(poor, 2 * 1024)?.parts).toBe(2);
    poor.detach({ release: true });
  });

  it.each([0, 1, 2])('of a packet whose window %d was released by its number the others are released', (part) => {
    const packet = packetOfPages(3);
    const handles = packet.windows().map(({ handle }) => handle);
    pool.release(handles[part] as number);
    expect(codeOf(() => packet.release())).toBe('POOL_ERR_STALE_HANDLE');
    for (const handle of handles) expect(codeOf(() => pool.refCount(handle))).toBe('POOL_ERR_STALE_HANDLE');
    expect([packet.length, packet.parts, pool.audit().references.ledgers]).toEqual([0, 0, 0]);
    packet.release(); // an empty one has none to give
  });

  it.each([0, 1, 2])('a packet whose window %d is stale is not sent, and its other windows are its own', (part) => {
    const packet = packetOfPages(3);
    const { handle } = packet.windows()[part] as { handle: number };
    const before = references(packet);
    pool.release(handle);
    for (let i = 0; i < 2; i++)
      expect(codeOf(() => sendPacket(pool.channel('work'), packet))).toBe('POOL_ERR_STALE_HANDLE');
    expect(pool.channel('work').pending).toBe(0);
    const others = packet.windows().filter((window) => window.handle !== handle);
    expect(others.map((window) => pool.refCount(window.handle))).toEqual(before.slice(1));
  });

  it.each([0, 1, 2])('a message whose part %d finds a full row comes whole when there is room', (part) => {
    const [beside, small] = [fragmentOf(pool, 'beside'), fragmentOf(pool, 'small')];
    const packet = new Packet();
    for (let i = 0; i < 3; i++) packet.append(i === part ? small : fragmentOf(pool, new Uint8Array(1000)));
    const handles = packet.windows().map(({ handle }) => handle);
    expect(sendPacket(pool.channel('work'), packet, 7)).toBe(true);
    pool.retain(beside.handle, MOST - 1);
    for (let i = 0; i < 2; i++) expect(codeOf(() => receivePacket(pool.channel('work')))).toBe('POOL_ERR_REF_OVERFLOW');
    pool.release(beside.handle);
    const came = receivePacket(pool.channel('work')) as Packet;
    expect([came.tag, came.length, came.windows().map(({ handle }) => handle)]).toEqual([7, 2005, handles]);
    expect(receivePacket(pool.channel('work'))).toBe(null);
  });

  it('a head that finds no page changes nothing, and is made when there is one', () => {
    const packet = packetOfPages(2);
    const others = takeAll();
    const windows = packet.windows();
    for (let i = 0; i < 2; i++) expect(packet.expandHead(8, 4)).toBe(null);
    expect(packet.windows()).toEqual(windows);
    others.pop()?.release();
    expect(packet.expandHead(8, 4)?.length).toBe(12);
    expect([packet.length, packet.parts, packet.getUint8(8), packet.getUint8(12)]).toEqual([2008, 3, 1, 1]);
    expect(pool.refCount(windows[0]?.handle as number)).toBe(1);
    for (const other of others) other.release();
  });

  it('a packet of another pool is refused as second part, and both are as they were', () => {
    const other = create(kind, { pageBytes: 1024, pageCount: 4 });
    const [own, foreign] = [packetOfPages(1), new Packet().append(fragmentOf(other, 'abc'))];
    for (const call of [() => own.append(foreign), () => own.prepend(foreign)])
      expect(codeOf(call)).toBe('POOL_ERR_FOREIGN_HANDLE');
    expect([own.length, own.parts, foreign.length, foreign.parts]).toEqual([1000, 1, 3, 1]);
    expect([own.getUint8(999), foreign.getUint8(2)]).toEqual([1, 'c'.charCodeAt(0)]);
    foreign.release();
    other.detach();
  });
});

describe('consume', () => {
  it('of nothing leaves the window of a packet that has no byte', () => {
    const pool = PagePool.createSync({ pageBytes: 256, pageCount: 4 });
    const packet = new Packet().append(fragmentOf(pool, 'abc'));
    const rest = packet.split(3);
    rest.consume(0);
    expect([rest.length, rest.parts]).toEqual([0, 1]);
    rest.release();
    packet.consume(3);
    expect([packet.length, packet.parts]).toEqual([0, 0]);
    pool.destroy();
  });
});

describe('reading after each change', () => {
  it('finds its place whatever was read before', () => {
    const pool = PagePool.createSync({ pageBytes: 256, pageCount: 16 });
    const text = 'abcdefghijklmnopqrstuvwxyz';
    const packet = new Packet();
    for (let i = 0; i < text.length; i += 4) packet.append(fragmentOf(pool, text.slice(i, i + 4)));
    const at = (offset: number): string => String.fromCharCode(packet.getUint8(offset));
    let expected = text;
    const check = (): void => {
      for (const offset of [expected.length - 1, 0, expected.length >> 1, 1])
        expect([offset, at(offset)]).toEqual([offset, expected[offset]]);
      expect(bytesOf(packet).toString()).toBe(expected);
      expect(packet.indexOf(expected.slice(-3), 2)).toBe(expected.length - 3);
      expect(at(expected.length - 1)).toBe(expected.at(-1)); // the place is far behind from here on
    };
    check();
    packet.consume(6);
    expected = expected.slice(6);
    check();
    packet.prepend(fragmentOf(pool, '123'));
    expected = `123${expected}`;
    check();
    const rest = packet.split(10);
    const cut = expected.slice(10);
    expected = expected.slice(0, 10);
    check();
    rest.shift()?.release();
    packet.append(rest);
    expected += cut.slice(firstWindow(cut));
    check();
    (packet.expandHead(2) as Uint8Array).set([0x41, 0x42]);
    expected = `AB${expected}`;
    check();
    expect(packet.coalesce()).toBe(true);
    check();
    packet.release();
    pool.destroy();

    /** What was left of the window that the split cut. */
    function firstWindow(left: string): number {
      const from = text.indexOf(left[0] as string);
      return 4 - (from % 4);
    }
  });
});
