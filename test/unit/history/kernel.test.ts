// What went wrong in the kernel's page_pool, its ring, and DPDK's mempool cache, as effects that must not show here.
//
// Each engine and both binaries, several ports in one thread. Named by effect.

import { afterEach, describe, expect, it } from 'vitest';
import {
  BIAS,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_SHIFT,
  FULL,
  OK,
  PORT_FRAGMENT_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  WORD_HOLDERS_MASK,
} from '../../../assembly/layout.js';
import { loadWord, pendingEntries } from '../../../src/control/nodes.js';
import type { Port } from '../../../src/port/port.js';
import {
  chooseSeed,
  KINDS,
  openPorts,
  pageOf,
  portWord,
  randomFrom,
  requireBalance,
  statsOf,
  unitOf,
} from '../../support/ports.js';

const count = (port: Port, page: number) =>
  loadWord(port.memory, port.geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT) + DESCRIPTOR_COUNT_OFFSET);

/** All orders of the items. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) =>
    orders([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest]),
  );
}

/** Sends one reference of a handle from port to port. */
function pass(from: Port, to: Port, handle: number): void {
  expect(from.engine.send(0, handle, 0, 1, 7)).toBe(OK);
  expect(to.engine.receiveBurst(0, to.scratch.ownAddress, 1)).toBe(1);
  expect(to.scratch.own[0]).toBe(handle);
}

/** Releases everything that ports cache, and expects every page with the provider. */
function expectAllHome(ports: readonly Port[]): void {
  for (const { engine } of ports) engine.park();
  ports[0]?.engine.trim();
  const { pages } = requireBalance(ports[0] as Port);
  expect(pages).toMatchObject({ provider: pages.total, used: 0, cached: 0, ring: 0, pinned: 0 });
}

describe.each(KINDS)('with the %s engine', (kind) => {
  let ports: Port[] = [];
  const open = (pageCount: number, portCount: number, more = {}): Port[] => {
    ports = openPorts({ pageCount, channels: { a: { capacity: 64, batch: 4 } }, ...more }, [kind], portCount);
    return ports;
  };
  const [first, second] = [() => ports[0] as Port, () => ports[1] as Port];
  afterEach(() => {
    if (ports.length > 0) expectAllHome(ports);
    ports = [];
  });

  it('the cache serves its own thread: a page released is the next one allocated, from the fast tier', () => {
    open(64, 2);
    const { engine } = first();
    engine.release(engine.alloc());
    const before = statsOf(first());
    for (let i = 0; i < 100; i++) engine.release(engine.alloc());
    const { alloc, recycle } = statsOf(first());
    expect(alloc.fast - before.alloc.fast).toBe(100);
    expect(recycle.cached - before.recycle.cached).toBe(100);
    expect([alloc.slow, alloc.refill, recycle.ring]).toEqual([before.alloc.slow, before.alloc.refill, 0]);
  });

  it('the cache of a port that waited serves it again', () => {
    open(64, 2);
    const { engine } = first();
    engine.park();
    engine.unpark();
    engine.release(engine.alloc());
    const before = statsOf(first()).alloc.fast;
    for (let i = 0; i < 10; i++) engine.release(engine.alloc());
    expect(statsOf(first()).alloc.fast - before).toBe(10);
  });

  // The holders of one fragment: its first reference, a clone in another thread, an expansion (a retain) there, a slice
  // here.
  const holders = ['first', 'clone', 'expansion', 'slice'] as const;
  it.each(orders(holders))('a page with %s, %s, %s and %s released in this order is recycled once', (...order) => {
    for (const isFragment of [false, true]) {
      open(4, 2);
      const [a, b] = [first(), second()];
      const handle = isFragment ? a.engine.allocFragment(100) : a.engine.alloc();
      if (isFragment) a.engine.park();
      expect(a.engine.retain(handle, 2)).toBe(OK);
      pass(a, b, handle);
      expect(b.engine.retain(handle, 1)).toBe(OK);
      const owner = { first: a, clone: b, expansion: b, slice: a };
      const home = () => statsOf(a).recycle.cached + statsOf(a).recycle.ring;
      const before = home();
      order.forEach((name, i) => {
        expect(home()).toBe(before);
        expect(owner[name].engine.refCount(handle)).toBe(4 - i);
        expect(owner[name].engine.release(handle)).toBe(OK);
      });
      expect(home()).toBe(before + 1);
      for (const port of [a, b]) expect(port.engine.release(handle)).toBeLessThan(0);
      expectAllHome(ports);
    }
  });

  it('fragments that others release early never take more off the page than it carries', () => {
    open(4, 3);
    const [a, b, c] = ports as [Port, Port, Port];
    for (let round = 0; round < 40; round++) {
      const handles = Array.from({ length: 1 + (round % 9) }, () => a.engine.allocFragment(64 * (1 + (round % 5))));
      expect(handles).not.toContain(0);
      handles.forEach((handle, i) => {
        const port = [a, b, c][(i + round) % 3] as Port;
        if (port !== a) pass(a, port, handle);
        if (i % 2 === 0) {
          port.engine.retain(handle, 1);
          port.engine.release(handle);
        }
        expect(port.engine.release(handle)).toBe(OK);
        const page = portWord(a, PORT_FRAGMENT_PAGE_OFFSET);
        const users = portWord(a, PORT_FRAGMENT_OFFSET) & 0xffff;
        if (page !== 0) {
          expect(count(a, page)).toBeGreaterThanOrEqual(BIAS - users);
          expect(count(a, page)).toBeLessThanOrEqual(BIAS);
        }
      });
      requireBalance(a);
    }
    a.engine.park();
    for (let page = 1; page <= 4; page++) expect(count(a, page)).toBe(1);
  });

  it('fragments in steady use are recycled to 100 percent', () => {
    open(16, 2);
    const [a, b] = [first(), second()];
    for (let i = 0; i < 20_000; i++) {
      const handle = a.engine.allocFragment(1 + ((i * 7919) % 700));
      const port = i % 2 === 0 ? a : b;
      if (port === b) pass(a, b, handle);
      port.engine.release(handle);
    }
    const { alloc, recycle } = statsOf(a);
    const ratio = (recycle.ring + recycle.cached) / (alloc.fast + alloc.slow + alloc.refill);
    expect(alloc.fragments).toBe(20_000);
    expect(ratio).toBeGreaterThan(0.99);
    expect(ratio).toBeLessThanOrEqual(1);
  });

  it('a fragment page whose users all left is used again from its start', () => {
    open(4, 2);
    const { engine } = first();
    const handles = Array.from({ length: 4 }, () => engine.allocFragment(1024));
    const page = pageOf(first(), handles[0] as number);
    for (const handle of handles) engine.release(handle);
    const again = engine.allocFragment(1024);
    expect([pageOf(first(), again), unitOf(first(), again)]).toEqual([page, unitOf(first(), handles[0] as number)]);
    expect(again).not.toBe(handles[0]);
    engine.release(again);
  });

  it('a fragment page on which a thread left references behind is not cut again before it was clean', () => {
    open(4, 2);
    const [a, b] = [first(), second()];
    const handles = Array.from({ length: 4 }, () => a.engine.allocFragment(1024));
    for (const handle of handles) pass(a, b, handle);
    b.engine.releaseHeld(pageOf(b, handles[0] as number), 4);
    const again = a.engine.allocFragment(1024);
    expect(a.engine.refCount(again)).toBe(1);
    a.engine.release(again);
    requireBalance(a);
  });

  it.each([1, 2, 3, 4, 5, 7, 8, 31])(
    'a channel of exactly %i entries takes as many and no more, lap after lap',
    (n) => {
      open(64, 2, { channels: { a: { capacity: n, batch: 1 } } });
      const [a, b] = [first(), second()];
      for (let lap = 0; lap < 5; lap++) {
        const handles = Array.from({ length: n }, () => a.engine.alloc());
        handles.forEach((handle, i) => {
          expect(a.engine.send(0, handle, 0, 1, i)).toBe(OK);
        });
        const extra = a.engine.alloc();
        expect(a.engine.send(0, extra, 0, 1, 0)).toBe(FULL);
        expect(a.engine.release(extra)).toBe(OK);
        expect(b.engine.receiveBurst(0, b.scratch.ownAddress, n + 5)).toBe(n);
        for (let i = 0; i < n; i++) {
          expect(b.scratch.own[4 * i]).toBe(handles[i]);
          expect(b.engine.release(handles[i] as number)).toBe(OK);
        }
        requireBalance(a);
      }
    },
  );

  it('asking whether a channel is empty is right at every position, also where it wraps', () => {
    open(16, 2, { channels: { a: { capacity: 3, batch: 1 } } });
    const [a, b] = [first(), second()];
    const channel = a.geometry.channels[0] as (typeof a.geometry.channels)[number];
    for (let step = 0; step < 50; step++) {
      const wanted = 1 + (step % 3);
      expect(b.engine.canReceive(0)).toBe(0);
      for (let i = 0; i < wanted; i++) {
        expect(a.engine.send(0, a.engine.alloc(), 0, 1, 0)).toBe(OK);
        expect(b.engine.canReceive(0)).toBe(1);
        expect(pendingEntries(a.memory, a.geometry, channel)).toBe(i + 1);
      }
      for (let i = 0; i < wanted; i++) {
        expect(b.engine.canReceive(0)).toBe(1);
        expect(b.engine.receiveBurst(0, b.scratch.ownAddress, 1)).toBe(1);
        b.engine.release(b.scratch.own[0] as number);
      }
    }
  });

  it('caches hold exactly what is configured: two magazines, then the ring', () => {
    open(128, 2);
    const { engine, geometry } = first();
    const capacity = geometry.magazineCapacity;
    expect(capacity).toBe(16);
    const handles = Array.from({ length: 4 * capacity }, () => engine.alloc());
    const out = statsOf(first()).pages.cached;
    expect(out).toBe(0);
    handles.forEach((handle, i) => {
      engine.release(handle);
      const { cached, ring } = statsOf(first()).pages;
      expect(cached).toBeLessThanOrEqual(2 * capacity);
      expect(cached + ring).toBe(i + 1);
      if (i < 2 * capacity) expect(ring).toBe(0);
    });
    expect(statsOf(first()).pages.cached).toBe(2 * capacity);
    expect(statsOf(first()).pages.ring).toBe(2 * capacity);
  });

  it('what was released last is allocated first, and the cold half is what goes to the ring', () => {
    open(128, 2);
    const { engine, geometry } = first();
    const capacity = geometry.magazineCapacity;
    const handles = Array.from({ length: 3 * capacity }, () => engine.alloc());
    for (const handle of handles) engine.release(handle);
    const hot = handles.slice(capacity).map((handle) => pageOf(first(), handle));
    const again = Array.from({ length: 2 * capacity }, () => engine.alloc());
    expect(again.map((handle) => pageOf(first(), handle))).toEqual(hot.reverse());
    for (const handle of again) engine.release(handle);
  });

  const bursts = [-1, 0, 1].flatMap((d) => [1, 2].map((n) => [n, d] as const));
  it.each(bursts)('bursts of %i times the cache capacity %i are served by the cache and the ring alone', (n, d) => {
    open(128, 2);
    const { engine, geometry, scratch } = first();
    const size = n * geometry.magazineCapacity + d;
    for (let i = 0; i < 4; i++) {
      expect(engine.allocBurst(scratch.ownAddress, size)).toBe(size);
      expect(engine.releaseBulk(scratch.ownAddress, size)).toBe(size);
    }
    const before = statsOf(first());
    for (let i = 0; i < 100; i++) {
      expect(engine.allocBurst(scratch.ownAddress, size)).toBe(size);
      expect(new Set(scratch.own.slice(0, size)).size).toBe(size);
      expect(engine.releaseBulk(scratch.ownAddress, size)).toBe(size);
    }
    const { alloc, recycle } = statsOf(first());
    expect(alloc.slow).toBe(before.alloc.slow);
    // Two magazines hold bursts of up to twice their capacity: what moves through the ring is the little that is above
    // it.
    const throughRing = (alloc.refill - before.alloc.refill) / 100;
    expect(throughRing).toBeLessThanOrEqual(size > 2 * geometry.magazineCapacity ? 1 : 0);
    expect(recycle.ringFull).toBe(0);
    requireBalance(first());
  });

  it('a page that comes home is as new: one reference, whole, no holder in any word, also after fragments', () => {
    open(8, 2);
    const [a, b] = [first(), second()];
    const random = randomFrom(chooseSeed(`descriptors ${kind}`));
    for (let round = 0; round < 30; round++) {
      const handles = Array.from({ length: 20 }, () =>
        random() % 3 === 0 ? a.engine.alloc() : a.engine.allocFragment(1 + (random() % 3000)),
      ).filter((handle) => handle !== 0);
      for (const handle of handles) {
        const port = random() % 2 === 0 ? a : b;
        if (port === b) pass(a, b, handle);
        expect(port.engine.release(handle)).toBe(OK);
      }
      a.engine.park();
      const { memory, geometry } = a;
      for (let page = 1; page <= geometry.pageCount; page++) {
        expect(count(a, page)).toBe(1);
        const unit = page << geometry.unitsPerPageShift;
        expect(memory.u16[(geometry.extentsOffset >>> 1) + unit]).toBe(0);
        for (let i = 0; i < 2 ** geometry.unitsPerPageShift; i++) {
          expect(loadWord(memory, geometry.fragmentWordsOffset + 4 * (unit + i)) & WORD_HOLDERS_MASK).toBe(0);
        }
      }
      const whole = a.engine.alloc();
      expect(a.engine.extent(whole)).toBe(geometry.pageBytes);
      a.engine.release(whole);
    }
  });
});
