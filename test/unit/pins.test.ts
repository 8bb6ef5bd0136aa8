// Pins against everything that ends a page's use, in every order: release, unpin, another thread's release, the pool's
// closing.
//
// A pinned page is neither handed out again nor cleared; it leaves the pool with its last user and comes back with its
// last unpin; the pool's memory is done with only when in-flight and pins are both 0.

import { describe, expect, it } from 'vitest';
import {
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  DESCRIPTOR_SHIFT,
  ERR_NOT_DETACHABLE,
  ERR_NOT_HELD,
  ERR_PIN,
  ERR_STALE_HANDLE,
  HEADER_STATE_OFFSET,
  HOME_HELD,
  HOME_LEFT,
  HOME_RETIRED,
  HOME_STATE_MASK,
  OK,
  PIN_COUNT_MASK,
  PIN_LEFT,
  STATE_CLOSING,
} from '../../assembly/layout.js';
import { loadWord } from '../../src/control/nodes.js';
import { descriptorAt } from '../../src/control/places.js';
import { inflight } from '../../src/control/state.js';
import type { Port } from '../../src/port/port.js';
import type { MemoryProvider } from '../../src/provider/provider.js';
import { publish } from '../../src/supply/owner-words.js';
import {
  bytesAt,
  create,
  type EngineKind,
  KINDS,
  openPorts,
  requireBalance,
  statsOf,
  unitOf,
} from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { HUNG_MS } from '../support/waiting.js';

const combinations: readonly (readonly [string, readonly EngineKind[]])[] = [
  ...KINDS.map((kind) => [kind, [kind, kind]] as const),
  ['release and typescript', ['release', 'typescript']],
  ['typescript and checked', ['typescript', 'checked']],
];

/** All orders of the steps in which none comes before what it needs. */
function orders(steps: readonly string[], after: Readonly<Record<string, string>>): string[][] {
  if (steps.length === 0) return [[]];
  return steps
    .filter((step) => !steps.includes(after[step] ?? ''))
    .flatMap((step) =>
      orders(
        steps.filter((other) => other !== step),
        after,
      ).map((rest) => [step, ...rest]),
    );
}

const descriptorWord = ({ memory, geometry }: Port, page: number, offset: number) =>
  loadWord(memory, geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT) + offset);

/** A page, held once by each of two ports, and pinned twice. */
function setUp(kinds: readonly EngineKind[], zero: 'never' | 'on-release', isFragment: boolean) {
  const ports = openPorts({ pageCount: 3, zero, channels: { a: {} } }, kinds) as [Port, Port];
  const [a, b] = ports;
  const handle = isFragment ? a.engine.allocFragment(300) : a.engine.alloc();
  expect(a.engine.retain(handle, 1)).toBe(OK);
  expect(a.engine.send(0, handle, 0, 1, 0)).toBe(OK);
  expect(b.engine.receiveBurst(0, b.scratch.ownAddress, 1)).toBe(1);
  const page = a.engine.pin(handle);
  expect(b.engine.pin(handle)).toBe(page);
  if (isFragment) a.engine.park();
  const bytes = bytesAt(a, unitOf(a, handle), 300).fill(0xa5);
  return { ports, a, b, handle, page, bytes };
}

const closing = ({ memory }: Port) =>
  Atomics.store(memory.i32, (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2, STATE_CLOSING);

describe.each(combinations)('with the engines %s', (_, kinds) => {
  // The token of a pin may be given back by any thread.
  const steps = ['release a', 'release b', 'unpin 1', 'unpin 2', 'close'];
  const all = orders(steps, { 'unpin 2': 'unpin 1' });

  it.each(
    (['never', 'on-release'] as const).flatMap((zero) =>
      [false, true].map((isFragment) => [zero, isFragment] as const),
    ),
  )(
    'a pinned page stays as it is until its last user and its last pin are gone, in all orders (zero: %s, fragment: %s)',
    (zero, isFragment) => {
      expect(all.length).toBe(60);
      for (const order of all) {
        const { a, b, handle, page, bytes, ports } = setUp(kinds, zero, isFragment);
        let [users, pins, isClosing] = [2, 2, false];
        for (const step of order) {
          if (step === 'close') {
            closing(a);
            for (const { engine } of ports) engine.scrub();
            isClosing = true;
          } else if (step.startsWith('release')) {
            users--;
            expect((step.endsWith('a') ? a : b).engine.release(handle)).toBe(OK);
          } else {
            pins--;
            expect((step.endsWith('1') ? b : a).engine.unpin(page)).toBe(OK);
          }
          const audit = requireBalance(a);
          const hasLeft = users === 0 && pins > 0;
          expect(audit.pages.pinned, order.join(', ')).toBe(hasLeft ? 1 : 0);
          expect(statsOf(a).pages.pinned).toBe(hasLeft ? 1 : 0);
          expect(audit.pages.used).toBe(users > 0 ? 1 : 0);
          const state = descriptorWord(a, page, DESCRIPTOR_HOME_OFFSET) & HOME_STATE_MASK;
          if (hasLeft) {
            expect(state).toBe(HOME_LEFT);
            expect(descriptorWord(a, page, DESCRIPTOR_PINS_OFFSET)).toBe((PIN_LEFT | pins) >>> 0);
          } else {
            // The mark of having left stays until the page is taken again.
            const word = descriptorWord(a, page, DESCRIPTOR_PINS_OFFSET);
            expect(state === HOME_RETIRED ? word & PIN_COUNT_MASK : word).toBe(pins);
          }
          if (users > 0 || pins > 0) {
            expect(
              bytes.every((byte) => byte === 0xa5),
              order.join(', '),
            ).toBe(true);
            if (!isClosing) {
              // Nobody gets it meanwhile, whatever is asked for.
              const others = Array.from({ length: 8 }, () => b.engine.alloc()).filter((other) => other !== 0);
              expect(others.length).toBe(2);
              for (const other of others) expect(b.engine.release(other)).toBe(OK);
            }
          } else if (zero === 'on-release') expect(bytes.every((byte) => byte === 0)).toBe(true);
        }
        expect(a.engine.unpin(page)).toBe(ERR_PIN);
        expect(b.engine.release(handle)).toBe(ERR_STALE_HANDLE);
        for (const { engine } of ports) engine.scrub();
        expect(inflight(a.memory, a.geometry)).toBe(0);
        expect(requireBalance(a).pages).toMatchObject({ provider: 3, pinned: 0, used: 0 });
        expect(descriptorWord(a, page, DESCRIPTOR_HOME_OFFSET) & HOME_STATE_MASK).toBe(HOME_RETIRED);
      }
    },
  );

  it('a page that left is counted out of flight at once, and in circulation again after its last unpin', () => {
    const { a, b, handle, page } = setUp(kinds, 'never', false);
    a.engine.release(handle);
    expect(inflight(a.memory, a.geometry)).toBe(1);
    b.engine.release(handle);
    expect(inflight(a.memory, a.geometry)).toBe(0);
    expect(statsOf(a).recycle.releasedRefcnt).toBe(1);
    b.engine.unpin(page);
    expect(statsOf(a).pages).toMatchObject({ pinned: 1, provider: 2 });
    a.engine.unpin(page);
    expect(statsOf(a).pages).toMatchObject({ pinned: 0, provider: 3 });
    const handles = [a, a, b].map(({ engine }) => engine.alloc());
    expect(new Set(handles).size).toBe(3);
    expect(handles).not.toContain(0);
    expect(handles).not.toContain(handle);
  });

  it.each(['never', 'on-release'] as const)(
    'an open fragment page that is pinned is left alone, not cut again, when its users are gone (zero: %s)',
    (zero) => {
      const [a] = openPorts({ pageCount: 2, pageBytes: 1024, zero }, kinds) as [Port];
      const first = a.engine.allocFragment(512);
      const page = a.engine.pin(first);
      const bytes = bytesAt(a, unitOf(a, first), 512).fill(0x5a);
      expect(a.engine.release(first)).toBe(OK);
      expect(a.engine.release(a.engine.allocFragment(512))).toBe(OK);
      const next = a.engine.allocFragment(512);
      expect(unitOf(a, next) >>> a.geometry.unitsPerPageShift).not.toBe(page);
      expect(bytes.every((byte) => byte === 0x5a)).toBe(true);
      expect(requireBalance(a).pages.pinned).toBe(1);
      expect(a.engine.unpin(page)).toBe(OK);
      const left = zero === 'on-release' ? 0 : kinds[0] === 'checked' ? 0x6b : 0x5a;
      expect(bytes.every((byte) => byte === left)).toBe(true);
      expect(requireBalance(a).pages.pinned).toBe(0);
      a.engine.release(next);
    },
  );

  it('more unpins than pins, pins without a reference and pages that do not exist are refused', () => {
    const { a, b, handle, page } = setUp(kinds, 'never', false);
    for (const token of [0, 4, 1000, 0x3fffffff, -1]) expect(a.engine.unpin(token)).toBe(ERR_PIN);
    for (let other = 1; other <= 3; other++) if (other !== page) expect(a.engine.unpin(other)).toBe(ERR_PIN);
    a.engine.release(handle);
    expect(a.engine.pin(handle)).toBe(ERR_NOT_HELD);
    expect(a.engine.unpin(page)).toBe(OK);
    expect(a.engine.unpin(page)).toBe(OK);
    expect(a.engine.unpin(page)).toBe(ERR_PIN);
    expect(statsOf(a).pages).toMatchObject({ used: 1, pinned: 0 });
    b.engine.release(handle);
    expect(b.engine.pin(handle)).toBe(ERR_STALE_HANDLE);
    requireBalance(a);
  });
});

describe.each(KINDS)('a pool of the %s engine', (kind) => {
  it('is destroyed with a page pinned, and the pin is undone afterwards, once', async () => {
    for (const isReleasedFirst of [true, false]) {
      const pool = create(kind, { pageCount: 4, maxPorts: 2 });
      const page = pool.alloc();
      const token = pool.pin(page);
      const bytes = pool.bytes(page).fill(3);
      if (isReleasedFirst) pool.release(page);
      const closed = pool.close({ timeoutMs: HUNG_MS });
      if (!isReleasedFirst) pool.release(page);
      expect(await closed).toMatchObject({ isDestroyed: true, inflight: 0 });
      expect(bytes.every((byte) => byte === 3)).toBe(true);
      pool.unpin(token);
      expect(codeOf(() => pool.unpin(token))).toBe('POOL_ERR_TOKEN_SPENT');
    }
  });
});

describe.each(KINDS)('a page that a port takes from the provider, %s engine', (kind) => {
  it('keeps the pin by which its owner calls it back meanwhile, and loses the mark of its last leaving', () => {
    const [port] = openPorts({ pageCount: 1 }, [kind]) as [Port];
    const { engine, geometry, memory } = port;
    const pins = (geometry.descriptorsOffset + (1 << DESCRIPTOR_SHIFT) + DESCRIPTOR_PINS_OFFSET) >>> 2;
    const state = () => descriptorWord(port, 1, DESCRIPTOR_HOME_OFFSET) & HOME_STATE_MASK;
    // As the owner does between the step that takes the page and what the port does behind it: no step comes between.
    expect(Atomics.compareExchange(memory.i32, pins, 0, 1)).toBe(0);
    const handle = engine.alloc();
    expect(descriptorWord(port, 1, DESCRIPTOR_PINS_OFFSET)).toBe(1);
    expect(engine.release(handle)).toBe(OK);
    expect(state()).toBe(HOME_LEFT);
    expect(engine.unpin(1)).toBe(OK);
    expect(state()).toBe(HOME_RETIRED);
    expect(descriptorWord(port, 1, DESCRIPTOR_PINS_OFFSET)).toBeGreaterThanOrEqual(PIN_LEFT);
    const again = engine.alloc();
    expect(descriptorWord(port, 1, DESCRIPTOR_PINS_OFFSET)).toBe(0);
    expect(engine.release(again)).toBe(OK);
    expect(state()).toBe(HOME_HELD);
    requireBalance(port);
  });
});

describe.each(KINDS)('a provider that wants all of its pages back, engine %s', (kind) => {
  it('has none of them pinned: the pin is refused, and nothing changed', () => {
    const provider: MemoryProvider = {
      ...{ kind: 'whole', readable: true, detachable: false, init() {}, grow() {}, retire() {}, destroy() {} },
      describe: () => ({}),
    };
    const [a] = openPorts({ pageBytes: 4096, pageCount: 4, provider }, [kind], 1) as [Port];
    publish(a, [1], false);
    const handle = a.engine.alloc();
    expect(handle).not.toBe(0);
    expect(a.engine.pin(handle)).toBe(ERR_NOT_DETACHABLE);
    expect(loadWord(a.memory, descriptorAt(a.geometry, 1) + DESCRIPTOR_PINS_OFFSET)).toBe(0);
  });
});
