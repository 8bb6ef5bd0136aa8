// Numbers that are no live handle, in every call that takes one: an error with its code, and nothing has changed.
//
// Both engines, both binaries. Nothing changed: the whole control region is compared, but for the count of refusals.
// Prints its seed; SEED=n replays.

import { type PagePool, PagePoolError } from 'pagepool';
import { describe, expect, it } from 'vitest';
import {
  COUNTER_REJECTED,
  LANE_CREDIT_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_SHIFT,
} from '../../assembly/layout.js';
import { planGeometry } from '../../src/control/geometry.js';
import { laneOffset } from '../../src/control/nodes.js';
import { resolveOptions } from '../../src/pool/options.js';
import '../../src/providers.js';
import { chooseSeed, create, KINDS, randomFrom } from '../support/ports.js';

/** A pool whose handles are short, one whose handles have all 30 bits, and one with large units. */
const pools = [
  { pageCount: 6, maxPorts: 2, channels: { a: {} } },
  { pageCount: 1000, pageBytes: 65536, unitBytes: 1024, maxPorts: 3, channels: { a: { batch: 1 } } },
  { pageCount: 40, pageBytes: 512, unitBytes: 512, maxPorts: 2, channels: { a: {} } },
];

const seed = chooseSeed('handles');

/** The control region's bytes, without the counts of refusals and what is only remembered. */
function snapshot(pool: PagePool, options: object): Buffer {
  const geometry = planGeometry(resolveOptions('create', options));
  const bytes = Buffer.from(
    new Uint8Array((pool.share().memory as WebAssembly.Memory).buffer, 0, geometry.controlBytes),
  );
  for (let id = 0; id < geometry.maxPorts; id++) {
    const at = geometry.portsOffset + (id << PORT_SHIFT) + PORT_COUNTERS_OFFSET + COUNTER_REJECTED;
    bytes.fill(0, at, at + 8);
    // The node that the port's last entry record was about; no record is open, and nobody reads it.
    const address = geometry.portsOffset + (id << PORT_SHIFT) + PORT_RECORD_ADDRESS_OFFSET;
    bytes.fill(0, address, address + 4);
    // How many entries this port may send before it counts the channel again: remembered when it looks, whoever asks.
    for (const channel of geometry.channels) {
      const credit = laneOffset(channel, id) + LANE_CREDIT_OFFSET;
      bytes.fill(0, credit, credit + 4);
    }
  }
  return bytes;
}

/** Every call that takes a handle, in all its forms. */
const calls: Readonly<Record<string, (pool: PagePool, handle: number) => unknown>> = {
  release: (pool, handle) => pool.release(handle),
  retain: (pool, handle) => pool.retain(handle),
  'retain 7': (pool, handle) => pool.retain(handle, 7),
  area: (pool, handle) => pool.area(handle),
  offset: (pool, handle) => pool.offset(handle),
  extent: (pool, handle) => pool.extent(handle),
  refCount: (pool, handle) => pool.refCount(handle),
  isReadable: (pool, handle) => pool.isReadable(handle),
  pin: (pool, handle) => pool.pin(handle),
  bytes: (pool, handle) => pool.bytes(handle),
  'bytes of a window': (pool, handle) => pool.bytes(handle, 0, 1),
  fragment: (pool, handle) => pool.fragment(handle),
  send: (pool, handle) => pool.channel('a').send(handle, 0, 0),
};

/** The same for handles in arrays, where every u32 arrives as it is. */
const bursts: Readonly<Record<string, (pool: PagePool, words: Uint32Array) => unknown>> = {
  releaseBulk: (pool, words) => pool.releaseBulk(words, 1),
  'releaseBulk of a foreign array': (pool, words) => pool.releaseBulk(words.slice(0, 1)),
  sendBurst: (pool, words) => pool.channel('a').sendBurst(words, 1),
  'sendBurst of a foreign array': (pool, words) => pool.channel('a').sendBurst(words.slice(0, 4), 1),
};

function errorOf(call: () => unknown): unknown {
  try {
    return `returned ${String(call())}`;
  } catch (error) {
    return error;
  }
}

function expectRefusal(name: string, value: unknown, call: () => unknown, code: RegExp): void {
  const error = errorOf(call);
  if (!(error instanceof PagePoolError) || !code.test(error.code)) {
    throw new Error(`${name}(${String(value)}): ${String(error)} (expected an error with a code of ${code})`);
  }
}

describe.each(KINDS)('with the %s engine', (kind) => {
  describe.each(pools)('and %j', (options) => {
    /** Live handles of all sorts, and the numbers near them. */
    function setUp() {
      const pool = create(kind, options);
      const words = pool.words(4);
      const live = [pool.alloc(), pool.alloc(), pool.allocFragment(100), pool.allocFragment(1), pool.alloc()].filter(
        (handle) => handle !== 0,
      );
      pool.retain(live[0] as number, 2);
      const stale = [pool.alloc(), pool.allocFragment(70)].filter((handle) => handle !== 0);
      for (const handle of stale) pool.release(handle);
      return { pool, words, live, stale, isLive: new Set(live) };
    }

    it('refuses what is no integer, no positive one, or too large, and changes nothing', () => {
      const { pool, live } = setUp();
      const [handle = 0] = live;
      const before = snapshot(pool, options);
      const bad: unknown[] = [0, -0, Number.NaN, Infinity, -Infinity, -1, -handle, handle + 0.5, 0.1, 2 ** 31, 2 ** 32];
      bad.push(2 ** 32 + handle, 2 ** 53, -(2 ** 31), `${handle}`, null, undefined, {}, [], true, () => handle);
      for (const value of bad) {
        for (const [name, call] of Object.entries(calls))
          expectRefusal(name, value, () => call(pool, value as number), /^POOL_ERR_INVALID_ARGUMENT$/);
      }
      expect(snapshot(pool, options).equals(before)).toBe(true);
      expect(pool.audit().errors).toEqual([]);
    });

    it('refuses stale handles, flipped bits, other pools’ handles and random u32, and changes nothing', () => {
      const { pool, words, live, stale, isLive } = setUp();
      const other = create(kind, options);
      const random = randomFrom(seed);
      const foreign = Array.from({ length: 5 }, () => other.alloc()).filter((handle) => handle !== 0);
      const flipped = live.flatMap((handle) => Array.from({ length: 32 }, (_, bit) => (handle ^ (1 << bit)) >>> 0));
      const near = live.flatMap((handle) => [handle + 1, handle - 1, handle + 2 ** 30]);
      const numbers = Array.from({ length: 3000 }, () => random() >>> (random() % 16));
      const before = snapshot(pool, options);
      // A pool tells another's handle by its generation's seed: with few live pages the chance of a match is small, not
      // 0.
      const bad = [...stale, ...foreign, ...flipped, ...near, ...numbers].filter((handle) => !isLive.has(handle));
      for (const handle of bad) {
        const isNumber = (handle | 0) === handle && handle > 0;
        const code = isNumber ? /^POOL_ERR_(STALE|FOREIGN)_HANDLE$/ : /^POOL_ERR_INVALID_ARGUMENT$/;
        for (const [name, call] of Object.entries(calls)) expectRefusal(name, handle, () => call(pool, handle), code);
        for (const [name, call] of Object.entries(bursts)) {
          words.set([handle, 0, 0, 0]);
          expectRefusal(name, handle, () => call(pool, words), /^POOL_ERR_(STALE|FOREIGN)_HANDLE$/);
        }
      }
      expect(snapshot(pool, options).equals(before)).toBe(true);
      expect(pool.stats().rejected).toBeGreaterThan(bad.length);
      const audit = pool.audit();
      expect(audit.errors).toEqual([]);
      expect(audit.references.ledgers).toBe(live.length + 2);
    });

    it('refuses a second release of each live handle, and loses nothing', () => {
      const { pool, live } = setUp();
      const [first = 0] = live;
      for (let i = 0; i < 2; i++) pool.release(first);
      for (const handle of live) pool.release(handle);
      const before = snapshot(pool, options);
      for (const handle of live) {
        for (const [name, call] of Object.entries(calls))
          expectRefusal(name, handle, () => call(pool, handle), /^POOL_ERR_STALE_HANDLE$/);
      }
      expect(snapshot(pool, options).equals(before)).toBe(true);
      pool.trim();
      expect(pool.audit()).toMatchObject({ balanced: true, pages: { provider: options.pageCount, used: 0 } });
    });
  });
});
