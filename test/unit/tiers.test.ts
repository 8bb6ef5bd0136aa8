// Every call that takes a page finds every page that is free, in pools of every size.

import type { PagePool } from 'pagepool';
import { Packet } from 'pagepool/packet';
import { WorkletPool } from 'pagepool/worklet';
import { describe, expect, it } from 'vitest';
import {
  DESCRIPTOR_PINS_OFFSET,
  ERR_REF_OVERFLOW,
  LEDGER_MAX,
  PIN_COUNT_MASK,
  PORT_FRAGMENT_PAGE_OFFSET,
} from '../../assembly/layout.js';
import { descriptorAt, rowIndex } from '../../src/control/places.js';
import type { Port } from '../../src/port/port.js';
import { expectAllHome } from '../support/home.js';
import { create, type EngineKind, KINDS, openPorts, requireBalance } from '../support/ports.js';

const PAGE_BYTES = 1024;

/** What takes whole pages, up to `most` of them: how many it got. */
const TAKERS: readonly (readonly [name: string, take: (pool: PagePool, most: number) => number | Promise<number>])[] = [
  ['alloc', (pool, most) => repeat(most, () => pool.alloc() !== 0)],
  ['allocFragment of a page', (pool, most) => repeat(most, () => pool.allocFragment(PAGE_BYTES) !== 0)],
  ['allocFragment of more than half', (pool, most) => repeat(most, () => pool.allocFragment(600) !== 0)],
  ['take()', (pool, most) => repeat(most, () => pool.take() !== null)],
  ['take of a page', (pool, most) => repeat(most, () => pool.take(PAGE_BYTES) !== null)],
  ['allocBulk', (pool, most) => (pool.allocBulk(new Uint32Array(most), most) ? most : 0)],
  ['allocBulk on words', (pool, most) => (pool.allocBulk(pool.words(most), most) ? most : 0)],
  ['allocBurst', (pool, most) => pool.allocBurst(new Uint32Array(most), most)],
  ['allocBurst on words', (pool, most) => pool.allocBurst(pool.words(most), most)],
  ['tryAlloc of a worklet', (pool, most) => repeat(most, (of = new WorkletPool(pool)) => of.tryAlloc() !== 0)],
  [
    'tryAllocFragment of a worklet',
    (pool, most) => repeat(most, (of = new WorkletPool(pool)) => of.tryAllocFragment(PAGE_BYTES) !== 0),
  ],
  [
    'takeAsync',
    async (pool, most) => {
      for (let i = 0; i < most; i++) await pool.takeAsync(PAGE_BYTES, { timeoutMs: 0 });
      return most;
    },
  ],
];

function repeat(most: number, take: () => boolean): number {
  let got = 0;
  while (got < most && take()) got++;
  return got;
}

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  describe.each([1, 2, 3, 8, 67])('a pool of %i free pages', (pageCount) => {
    it.each(TAKERS)('one of them open for fragments, gives them all to %s', async (_, take) => {
      const pool = create(kind, { pageBytes: PAGE_BYTES, pageCount, maxPorts: 2 });
      for (const handle of [pool.allocFragment(64), pool.allocFragment(64)]) pool.release(handle);
      expect(await take(pool, pageCount)).toBe(pageCount);
      expect(pool.alloc()).toBe(0);
      pool.detach({ release: true });
    });
  });

  it('expandHead takes a page that is open and idle', () => {
    const pool = create(kind, { pageBytes: PAGE_BYTES, pageCount: 2, maxPorts: 2 });
    const page = pool.take();
    pool.release(pool.allocFragment(64));
    const packet = new Packet().append(page as NonNullable<typeof page>);
    expect(packet.expandHead(700)?.length).toBe(700);
    packet.release();
    expectAllHome(pool);
  });

  describe('a row that is full', () => {
    const full = () => {
      const pool = create(kind, { pageBytes: PAGE_BYTES, pageCount: 16, maxPorts: 2 });
      const fragment = pool.allocFragment(64);
      pool.retain(fragment, LEDGER_MAX - 1);
      return { pool, fragment };
    };

    it.each([
      ['allocFragment', (pool: PagePool) => pool.allocFragment(64)],
      ['take', (pool: PagePool) => pool.take(64)?.handle ?? 0],
    ])('has %s leave its page and open another', (_, cut) => {
      const { pool, fragment } = full();
      const next = cut(pool);
      expect(next).not.toBe(0);
      expect(pool.bytes(next).byteOffset >> 10).not.toBe(pool.bytes(fragment).byteOffset >> 10);
      const cuts = Array.from({ length: 40 }, () => cut(pool));
      expect(cuts).not.toContain(0);
      for (const handle of [next, ...cuts]) pool.release(handle);
      for (let i = 0; i < LEDGER_MAX; i++) pool.release(fragment);
      expectAllHome(pool);
    });

    it('goes with the port that dies with it', () => {
      const [port] = openPorts({ pageBytes: PAGE_BYTES, pageCount: 4 }, [kind], 1);
      const { engine, memory, geometry, id } = port!;
      const fragment = engine.allocFragment(64);
      engine.retain(fragment, LEDGER_MAX - 1);
      const page = memory.u32[(geometry.portsOffset + PORT_FRAGMENT_PAGE_OFFSET) >>> 2] as number;
      expect(memory.u16[rowIndex(geometry, id, page)]).toBe(LEDGER_MAX);
      expect(engine.allocFragment(64)).not.toBe(0);
      requireBalance(port!);
      expect(engine.releaseHeld(page, LEDGER_MAX)).toBe(LEDGER_MAX);
      requireBalance(port!);
    });
  });

  it('of any field refuses one more, names its limit, and changes nothing', () => {
    const ports = openPorts({ pageBytes: PAGE_BYTES, pageCount: 4, channels: { a: { capacity: 8 } } }, [kind], 2);
    const [one, other] = ports as [Port, Port];
    const { geometry, memory } = one;
    const handle = one.engine.alloc();
    const page = one.engine.pin(handle);
    const pins = (descriptorAt(geometry, page) + DESCRIPTOR_PINS_OFFSET) >>> 2;
    expect(one.engine.retain(handle, LEDGER_MAX - 1)).toBe(0);
    // Holders and row: both full.
    expect(one.engine.retain(handle, 1)).toBe(ERR_REF_OVERFLOW);
    // A token, and an entry: with them no more than there were; a row that is full takes neither.
    const loan = one.engine.lend(handle, 0, 8, 0);
    expect(one.engine.send(0, handle, 0, 8, 0)).toBe(0);
    const words = memory.u16[rowIndex(geometry, 0, page)];
    expect(words).toBe(LEDGER_MAX - 2);
    memory.u16[rowIndex(geometry, 0, page)] = LEDGER_MAX; // as if it held others of the same page
    expect(one.engine.adopt(loan & 0xff, loan >>> 8, one.scratch.ownAddress)).toBe(ERR_REF_OVERFLOW);
    expect(one.engine.receiveBurst(0, one.scratch.ownAddress, 1)).toBe(0);
    expect(one.engine.lastError()).toBe(ERR_REF_OVERFLOW);
    memory.u16[rowIndex(geometry, 0, page)] = words as number;
    expect(other.engine.adopt(loan & 0xff, loan >>> 8, other.scratch.ownAddress)).toBe(0);
    expect(one.engine.receiveBurst(0, one.scratch.ownAddress, 1)).toBe(1);
    // Pins.
    const before = memory.u32[pins] as number;
    memory.u32[pins] = PIN_COUNT_MASK;
    expect(one.engine.pin(handle)).toBe(ERR_REF_OVERFLOW);
    expect(memory.u32[pins]).toBe(PIN_COUNT_MASK);
    memory.u32[pins] = before;
    expect(one.engine.unpin(page)).toBe(0);
    requireBalance(one);
  });
});
