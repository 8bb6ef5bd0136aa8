// What went wrong with packets in the Linux kernel, as effects that must not show here.
//
// Each engine and both cores, through the public interface. The numbers are the commits' own subjects in short. The one
// that needs threads stands in threads.test.ts.

import type { Fragment, PagePool } from 'pagepool';
import { lengthPrefixed, Packet, receivePacket, sendPacket } from 'pagepool/packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { create, KINDS } from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { bytesOf, fragmentOf, textOf } from './support.js';

/** All orders of the items. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) =>
    orders([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest]),
  );
}

describe.each(KINDS)('with the %s engine', (kind) => {
  let pool: PagePool;
  beforeEach(() => {
    pool = create(kind, { pageBytes: 1024, pageCount: 24, maxPorts: 2, channels: { work: { batch: 8 } } });
  });
  afterEach(() => pool.destroy());

  /** A fragment that has a page of its own. */
  const paged = (text: string): Fragment => {
    const fragment = pool.fragment(pool.alloc(), 0, text.length);
    fragment.bytes.set(Buffer.from(text));
    return fragment;
  };
  /** Pages that came home so far and stayed in circulation. */
  const recycled = (): number => {
    const { cached, ring, ringFull } = pool.stats().recycle;
    return cached + ring + ringFull;
  };

  describe('10: a potential race while recycling page_pool packets', () => {
    const STEPS = ['expand', 'release the original', 'release the clone', 'release the second clone'] as const;
    const TEXT = 'x'.repeat(700) + 'y'.repeat(700);

    it.each(orders(STEPS))('%s, %s, %s, %s: each page is recycled once', (...order) => {
      const original = new Packet().append(paged('x'.repeat(700))).append(paged('y'.repeat(700)));
      const clone = original.clone();
      const live = new Map([original, clone, clone.clone()].map((packet) => [packet, TEXT]));
      const [, , second] = [...live.keys()] as [Packet, Packet, Packet];
      const before = recycled();
      let pages = 2;
      for (const step of order) {
        if (step === 'expand') {
          // Whoever is still there owns a head of its own from here on; the clones keep theirs.
          const [own] = live.has(clone) ? [clone] : live.keys();
          if (own === undefined) continue;
          if (live.size > 1) pages++;
          own.expandHead(0, 600)?.set(Buffer.from('HEAD'));
          live.set(own, `HEAD${TEXT.slice(4)}`);
        } else {
          const packet = { 'release the original': original, 'release the clone': clone }[step as string] ?? second;
          packet.release();
          live.delete(packet);
        }
        for (const [packet, text] of live) expect(bytesOf(packet).toString()).toBe(text);
      }
      expect(recycled() - before).toBe(pages);
      expectAllHome(pool);
      const handles = new Uint32Array(24);
      expect(pool.allocBurst(handles, 24)).toBe(24);
      expect(new Set(handles).size).toBe(24);
      pool.releaseBulk(handles);
    });
  });

  describe('11: coalescing for page_pool fragment recycling', () => {
    it('a window that moves between packets takes its reference along, also out of a cloned packet', () => {
      const page = paged('shared by many');
      const { handle } = page;
      const first = new Packet().append(page.slice(0, 6)).append(page.slice(6, 8));
      const clone = first.clone(); // on the references of the first
      expect(pool.refCount(handle)).toBe(3);
      const merged = new Packet().append(page).append(first);
      expect({ references: pool.refCount(handle), parts: first.parts }).toEqual({ references: 3, parts: 0 });
      clone.release();
      expect(pool.refCount(handle)).toBe(3);
      expect(merged.coalesce()).toBe(true);
      expect(textOf(merged)).toBe('shared by manyshared by many');
      expectAllHome(pool);
    });

    it('windows that touch are joined without a copy, and give their references back', () => {
      const page = paged('0123456789');
      const { handle } = page;
      const packet = new Packet().append(page.slice(0, 3)).append(page.slice(3, 4)).append(page.slice(7, 3));
      page.release();
      expect(pool.refCount(handle)).toBe(3);
      const clone = packet.clone();
      expect(packet.coalesce()).toBe(true);
      expect(packet.windows()).toEqual([{ handle, offset: 0, length: 10 }]);
      expect(pool.refCount(handle)).toBe(3); // the clone has three windows
      expect(pool.stats().pages.used).toBe(1);
      packet.release();
      expect(textOf(clone)).toBe('0123456789');
      expectAllHome(pool);
    });
  });

  it.each([0, 1, 2, 3])(
    '12: a race between coalescing and releasing SKBs: the other holder goes at step %i of a merge',
    (step) => {
      const page = paged('abcdefghij');
      const { handle } = page;
      const other = new Packet().append(page);
      const clone = other.clone();
      if (step === 0) other.release();
      const target = clone.slice(2, 5);
      if (step === 1) other.release();
      const rest = clone.split(4);
      if (step === 2) other.release();
      target.append(rest);
      expect(pool.refCount(handle)).toBe(1); // all windows were cut from one
      if (step === 3) other.release();
      clone.release();
      expect(bytesOf(target).toString()).toBe('cdefgefghij');
      expect(target.coalesce()).toBe(true);
      expect(codeOf(() => pool.refCount(handle))).toBe('POOL_ERR_STALE_HANDLE');
      expect(textOf(target)).toBe('cdefgefghij');
      expectAllHome(pool);
    },
  );

  it('13: mirrored fragment references: what is taken is given back as the same kind, beside pins of any number', () => {
    const page = paged('pinned and shared');
    const { handle } = page;
    const pins = [pool.pin(handle), pool.pin(handle)];
    const packet = new Packet().append(page);
    // A pin is no reference and becomes none.
    for (const value of [...pins, handle, 0, null, {}]) {
      expect(codeOf(() => packet.append(value as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    expect(pool.refCount(handle)).toBe(1);
    // Somebody outside reads the page: a head is written elsewhere, though nobody else has a reference.
    const content = pool.bytes(handle);
    const second = packet.clone();
    packet.expandHead(0, 6)?.set(Buffer.from('COPIED'));
    expect(Buffer.from(content.subarray(0, 17)).toString()).toBe('pinned and shared');
    const rest = packet.split(10);
    expect(pool.refCount(handle)).toBe(1);
    for (const each of [packet, rest, second]) each.release();
    expect(codeOf(() => pool.refCount(handle))).toBe('POOL_ERR_STALE_HANDLE');
    expect(pool.stats().pages.pinned).toBe(1);
    for (const pin of pins) pool.unpin(pin);
    expect(codeOf(() => pool.unpin(pins[0] as number))).toBe('POOL_ERR_TOKEN_SPENT');
    expectAllHome(pool);
  });

  it('13: a head of one holder is written in place only while nobody has the page pinned', () => {
    const packet = new Packet().append(paged('alone'));
    const { handle } = packet.windows()[0] as { handle: number };
    packet.expandHead(0, 5);
    expect(packet.windows()[0]?.handle).toBe(handle);
    const pin = pool.pin(handle);
    packet.expandHead(0, 5);
    expect(packet.windows()[0]?.handle).not.toBe(handle);
    expect(textOf(packet)).toBe('alone');
    pool.unpin(pin);
    expectAllHome(pool);
  });

  it('14: multi-buffer fragment counting: fragments dropped before their page is left are never counted twice', () => {
    // A page is open for fragments while a consumer drops some of its packet's, and the owner goes on cutting and
    // leaves it.
    for (let round = 0; round < 40; round++) {
      const packet = new Packet();
      for (let i = 0; i < 7; i++) packet.append(fragmentOf(pool, Buffer.alloc(100, i)));
      const tail = packet.split(450);
      packet.consume(round % 451);
      expect(sendPacket(pool.channel('work'), tail, round)).toBe(true);
      const more = fragmentOf(pool, Buffer.alloc(300, 9)); // leaves the page, or not
      packet.release();
      const received = receivePacket(pool.channel('work')) as Packet;
      received.consume(50 + (round % 100));
      expect(received.getUint8(received.length - 1)).toBe(6);
      received.release();
      more.release();
      const { errors, exact } = pool.audit();
      expect({ errors, exact }).toEqual({ errors: [], exact: true });
    }
    const { inflight, pages } = pool.stats();
    // The page that is open for fragments counts as used.
    expect(inflight).toBe(pages.used + pages.cached + pages.ring);
    expect(pages.used).toBeLessThanOrEqual(1);
    expectAllHome(pool);
  });

  describe('32: overshooting recv limit, and a copy that repeated its first chunk', () => {
    it('a copy takes exactly what it is asked for, out of packets of packets', () => {
      const text = Array.from({ length: 40 }, (_, i) => `<${i}>`).join('');
      let packet = new Packet();
      for (const piece of text.match(/.{1,7}/g) as string[]) {
        packet = new Packet().append(packet).append(new Packet().append(fragmentOf(pool, piece, 3)));
      }
      for (const offset of [0, 1, 6, 7, 8, 50, text.length - 1, text.length]) {
        for (const length of [0, 1, 7, 20, text.length - offset].filter((each) => each <= text.length - offset)) {
          const target = Buffer.alloc(length + 2, '.');
          expect(packet.copyTo(target, 1, offset, length)).toBe(length);
          expect(target.toString()).toBe(`.${text.slice(offset, offset + length)}.`);
        }
        expect(codeOf(() => packet.copyTo(Buffer.alloc(500), 0, offset, text.length - offset + 1))).toBe(
          'POOL_ERR_INVALID_ARGUMENT',
        );
      }
      expect(codeOf(() => packet.copyTo(Buffer.alloc(text.length - 1)))).toBe('POOL_ERR_INVALID_ARGUMENT');
      packet.release();
      expectAllHome(pool);
    });

    it('a limit of bytes is exact, however the message is cut into pieces', async () => {
      for (const pieces of [1, 2, 3, 5, 64]) {
        for (const [length, isAllowed] of [
          [63, true],
          [64, true],
          [65, false],
        ] as const) {
          const bytes = Buffer.concat([Buffer.from([0, length]), Buffer.alloc(length, 'm'), Buffer.from([0, 0])]);
          const size = Math.ceil(bytes.length / pieces);
          const source = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
            new Packet().append(fragmentOf(pool, bytes.subarray(i * size, (i + 1) * size))),
          );
          const found: string[] = [];
          const run = (async () => {
            for await (const message of lengthPrefixed(source, { prefixBytes: 2, maxBytes: 64 }))
              found.push(textOf(message));
          })();
          if (isAllowed) {
            await run;
            expect(found).toEqual(['m'.repeat(length), '']);
          } else {
            await expect(run).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
            expect(found).toEqual([]);
            for (const piece of source) piece.release(); // what the framing did not take yet
          }
          expectAllHome(pool);
        }
      }
    });
  });
});
