// Poison: in the checked core a page that comes home shows nothing of its last use, and a write to it after that traps.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OK } from '../../assembly/layout.js';
import { instantiateCore, openWasmEngine } from '../../src/engine/wasm.js';
import type { Port } from '../../src/port/port.js';
import { auditPool } from '../../src/reports/audit.js';
import {
  bytesAt,
  create,
  type EngineKind,
  moduleOf,
  openPorts,
  pageOf,
  requireBalance,
  unitOf,
} from '../support/ports.js';
import { loadAnotherRealm } from '../support/realm.js';
import { portBeside } from '../support/shared-ports.js';

const POISON = 0x6b;
const PAGE_BYTES = 1024;

/** A port of each kind, of one pool. */
function ports(kinds: readonly EngineKind[], zero: 'never' | 'on-release' = 'never'): Port[] {
  return openPorts({ pageBytes: PAGE_BYTES, pageCount: 8, zero, channels: { c: {} } }, kinds);
}

/** All bytes of the handle's page. */
function pageBytes(port: Port, handle: number): Uint8Array {
  return bytesAt(port, pageOf(port, handle) << port.geometry.unitsPerPageShift, PAGE_BYTES);
}

/** Which values the bytes have. */
const values = (bytes: Uint8Array): number[] => [...new Set(bytes)];

describe('the checked core', () => {
  it.each([
    ['the fast tier', (port: Port, handle: number) => port.engine.release(handle)],
    [
      'the slow tier',
      (port: Port, handle: number) => {
        expect(port.engine.retain(handle, 1)).toBe(OK);
        expect(port.engine.release(handle)).toBe(OK);
        port.engine.park(); // its limit is 0 from now on
        return port.engine.release(handle);
      },
    ],
    [
      'a bulk',
      (port: Port, handle: number) => {
        port.scratch.own[0] = handle;
        expect(port.engine.releaseBulk(port.scratch.ownAddress, 1)).toBe(1);
        return OK;
      },
    ],
    [
      'a detaching thread',
      (port: Port, handle: number) => {
        expect(port.engine.releaseHeld(pageOf(port, handle), 1)).toBe(1);
        return OK;
      },
    ],
  ])('poisons a page that comes home by %s', (_name, release) => {
    const [port] = ports(['checked']) as [Port];
    const handle = port.engine.alloc();
    const bytes = pageBytes(port, handle).fill(1);
    expect(release(port, handle)).toBe(OK);
    expect(values(bytes)).toEqual([POISON]);
    requireBalance(port);
  });

  it('poisons a fragment page when its last fragment is gone, also where it is used again at once', () => {
    const [port] = ports(['checked']) as [Port];
    const { engine } = port;
    const first = engine.allocFragment(PAGE_BYTES / 2);
    const bytes = pageBytes(port, first).fill(1);
    const second = engine.allocFragment(PAGE_BYTES / 2);
    engine.release(first);
    expect(values(bytes)).toEqual([1]);
    engine.release(second);
    const third = engine.allocFragment(64); // the page had no room left: it begins anew
    expect(unitOf(port, third)).toBe(unitOf(port, first));
    expect(values(bytes)).toEqual([POISON]);
    bytes.fill(2);
    engine.release(third);
    engine.park();
    expect(values(bytes)).toEqual([POISON]);
  });

  it('leaves a pinned page alone until its last pin is gone', () => {
    const [port] = ports(['checked']) as [Port];
    const handle = port.engine.alloc();
    const bytes = pageBytes(port, handle).fill(1);
    const page = port.engine.pin(handle);
    port.engine.release(handle);
    expect(values(bytes)).toEqual([1]);
    expect(port.engine.unpin(page)).toBe(OK);
    expect(values(bytes)).toEqual([POISON]);
  });

  it('clears and does not poison where pages are cleared', () => {
    const [port] = ports(['checked'], 'on-release') as [Port];
    const handle = port.engine.alloc();
    const bytes = pageBytes(port, handle).fill(1);
    port.engine.release(handle);
    expect(values(bytes)).toEqual([0]);
  });

  describe.each(['never', 'on-release'] as const)('finds a write after the release (zero: %s)', (zero) => {
    const calls: [string, (port: Port) => number][] = [
      ['alloc', ({ engine }) => engine.alloc()],
      ['allocBurst', ({ engine, scratch }) => engine.allocBurst(scratch.ownAddress, 1)],
      ['allocFragment', ({ engine }) => engine.allocFragment(64)],
    ];
    it.each(calls)('when %s would hand the page out', (_name, allocate) => {
      for (const at of [0, 1, PAGE_BYTES / 2 + 3, PAGE_BYTES - 1]) {
        const [port] = ports(['checked'], zero) as [Port];
        const handle = port.engine.alloc();
        const bytes = pageBytes(port, handle);
        port.engine.release(handle);
        const before = bytes[at] as number;
        bytes[at] = 7;
        expect(() => allocate(port)).toThrow(new WebAssembly.RuntimeError('unreachable'));
        // Nothing happened but that the call was counted: the page is where it was.
        const { errors, pages } = auditPool(port);
        expect(errors.filter((error) => !error.startsWith('I9'))).toEqual([]);
        expect(pages).toMatchObject({ used: 0 });
        bytes[at] = before;
        expect(allocate(port)).toBeGreaterThan(0);
      }
    });
  });

  it('looks at every page of the loaded magazine that it released itself, and at those alone', () => {
    const [port] = openPorts({ pageBytes: PAGE_BYTES, pageCount: 64, maxPorts: 2 }, ['checked'], 1) as [Port];
    const { engine, geometry, scratch } = port;
    const count = geometry.magazineCapacity;
    expect(count).toBeGreaterThan(4);
    // The first fills the magazine with fresh pages, which are nobody's releases: whatever they hold is right.
    engine.release(engine.alloc());
    const fresh = bytesAt(port, 1 << geometry.unitsPerPageShift, PAGE_BYTES);
    fresh[0] = 9;
    expect(engine.allocBurst(scratch.ownAddress, count)).toBe(count);
    expect(fresh[0]).toBe(9);
    // All are its own now. They come out last in, first out.
    expect(engine.releaseBulk(scratch.ownAddress, count)).toBe(count);
    const deepest = pageBytes(port, scratch.own[0] as number);
    deepest[5] = 0;
    for (let i = 1; i < count; i++) expect(engine.alloc()).toBeGreaterThan(0);
    expect(() => engine.alloc()).toThrow('unreachable');
    deepest[5] = POISON;
    expect(engine.alloc()).toBeGreaterThan(0);
  });

  it.each(['release', 'typescript'] as const)('expects nothing of pages that a %s port released', (kind) => {
    const options = { pageBytes: PAGE_BYTES, pageCount: 64 };
    const [checked, other] = openPorts(options, ['checked', kind]) as [Port, Port];
    // Fewer than half a magazine, so that what comes from the ring is merged; and more, so that several come.
    for (let round = 0; round < 40; round++) {
      const count = 1 + (round % 20);
      const [from, to] = round % 2 === 0 ? [checked, other] : [other, checked];
      const handles = Array.from({ length: count }, () => from.engine.alloc());
      expect(handles).not.toContain(0);
      for (const handle of handles) pageBytes(from, handle).fill(round);
      const left = from === checked ? POISON : round;
      for (const handle of handles) {
        const bytes = pageBytes(from, handle);
        expect(from.engine.release(handle)).toBe(OK);
        expect(values(bytes)).toEqual([left]);
        from.engine.park(); // the page goes to the ring, in a magazine of its own
        from.engine.unpark();
      }
      const came = Array.from({ length: count }, () => to.engine.alloc());
      expect(came).not.toContain(0);
      for (const handle of came) to.engine.release(handle);
      to.engine.park();
      to.engine.unpark();
    }
    requireBalance(checked);
  });

  it('expects nothing of a magazine that it takes from another port, or takes over with the port itself', () => {
    const options = { pageBytes: PAGE_BYTES, pageCount: 16, maxPorts: 2 };
    for (const isTakenOver of [false, true]) {
      const [checked, other] = openPorts(options, ['checked', 'release']) as [Port, Port];
      const handles = Array.from({ length: 16 }, () => other.engine.alloc());
      for (const handle of handles) pageBytes(other, handle).fill(1);
      const capacity = other.geometry.magazineCapacity;
      // The loaded magazine, and the spare after it.
      for (const handle of handles.slice(0, 2 * capacity)) expect(other.engine.release(handle)).toBe(OK);
      const engine = isTakenOver
        ? openWasmEngine(instantiateCore(moduleOf('checked'), other.memory.wasm as WebAssembly.Memory), other.id)
        : checked.engine;
      for (let i = 0; i < capacity; i++) expect(engine.alloc()).toBeGreaterThan(0);
    }
  });
});

describe.each(['creates', 'attaches'])('a thread that %s reaps by the core that the pool came with', (begins) => {
  it('which poisons what the dead thread held', async () => {
    const pool = create('checked', { pageBytes: PAGE_BYTES, pageCount: 8, maxPorts: 3 });
    const reaper = begins === 'creates' ? pool : (await loadAnotherRealm()).PagePool.attach(pool.share() as never);
    const dead = portBeside(pool, 'release');
    const bytes = pageBytes(dead, dead.engine.alloc()).fill(7);
    reaper.reap(dead.id, { force: true });
    expect(reaper.audit()).toMatchObject({ reaped: [dead.id], errors: [], pages: { used: 0 } });
    expect(values(bytes)).toEqual([POISON]);
    if (reaper !== pool) reaper.detach();
    expect(pool.audit()).toMatchObject({ balanced: true, errors: [] });
    pool.destroy();
  });
});

describe.each(['release', 'typescript'] as const)('the %s engine', (kind) => {
  it('neither poisons a page nor looks at it', () => {
    const pool = create(kind, { pageBytes: PAGE_BYTES, pageCount: 8 });
    const handle = pool.alloc();
    const bytes = pool.bytes(handle).fill(1);
    pool.release(handle);
    expect(values(bytes)).toEqual([1]);
    bytes[3] = 2;
    const again = pool.alloc();
    expect(values(pool.bytes(again)).sort()).toEqual([1, 2]);
    pool.release(again);
    pool.destroy();
  });
});

it('is in the checked binary alone', () => {
  const text = (target: string) =>
    readFileSync(new URL(`../../build/wasm/core.${target}.wat`, import.meta.url), 'utf8');
  const pattern = BigInt(`0x${'6b'.repeat(8)}`).toString();
  expect(text('checked').includes(pattern)).toBe(true);
  expect(text('release').includes(pattern)).toBe(false);
});
