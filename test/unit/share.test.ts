// Attaching: what a share must be, and that a wrong one is refused before a word of its memory is written.

import { PagePool, type PoolShare } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CONTROL_BASE,
  HEADER_ABI_OFFSET,
  HEADER_HASH_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_WORDS_OFFSET,
} from '../../assembly/layout.js';
import { codeOf, loadAnotherRealm, messageOf } from '../support/realm.js';

let pool: PagePool;
let share: PoolShare;
let attach: (share: unknown, options?: object) => PagePool;

const memoryOf = (share: PoolShare) => new Uint8Array((share.memory as WebAssembly.Memory).buffer);

beforeEach(async () => {
  pool = await PagePool.create({ name: 'shared', pageCount: 64, maxPorts: 2, channels: { a: {}, b: { batch: 1 } } });
  share = structuredCloneable(pool.share());
  const realm = await loadAnotherRealm();
  attach = (value, options) => realm.PagePool.attach(value as PoolShare, options) as unknown as PagePool;
});

afterEach(() => pool.destroy());

/** A copy as postMessage makes it; memory and module are shared, not copied. */
function structuredCloneable({ memory, module, ...rest }: PoolShare): PoolShare {
  return { ...structuredClone(rest), memory, ...(module === undefined ? {} : { module }) };
}

describe('attach', () => {
  it('joins the pool with another port, the same options and the same channels', () => {
    const other = attach(share, { label: 'second' });
    expect([other.name, other.pageBytes, other.pageCount, other.portId]).toEqual(['shared', 4096, 64, 1]);
    const page = pool.alloc();
    pool.bytes(page)[9] = 9;
    expect(pool.channel('b').send(page, 0, 10, 5)).toBe(true);
    const fragment = other.channel('b').receive();
    expect([fragment?.length, fragment?.tag, fragment?.bytes[9]]).toEqual([10, 5, 9]);
    expect(codeOf(() => pool.release(page))).toBe('POOL_ERR_NOT_HELD');
    fragment?.release();
    expect(pool.audit()).toMatchObject({ balanced: true, exact: true });
    other.detach();
  });

  it('is refused twice in one thread, also to the creator, and possible again after detach', () => {
    const other = attach(share);
    expect(messageOf(() => attach(share))).toContain('a pool that this thread is not attached to');
    expect(codeOf(() => PagePool.attach(share))).toBe('POOL_ERR_INVALID_ARGUMENT');
    other.detach();
    attach(share).detach();
  });

  it('is refused with NO_PORT when every port is claimed', async () => {
    const other = attach(share);
    const third = await loadAnotherRealm();
    expect(codeOf(() => third.PagePool.attach(share as never))).toBe('POOL_ERR_NO_PORT');
    other.detach();
  });

  it.each([undefined, null, 7, 'share', [], {}, { kind: 'other' }])('refuses %j, which is no share', (value) => {
    expect(codeOf(() => attach(value))).toBe('POOL_ERR_INVALID_ARGUMENT');
  });

  it.each([{ label: 7 }, { lable: 'x' }, 'x'])('refuses the options %j', (options) => {
    expect(codeOf(() => attach(share, options as object))).toBe('POOL_ERR_INVALID_ARGUMENT');
  });

  const tampered: [string, string, (share: Record<string, unknown>) => void][] = [
    [
      'another ABI version',
      'POOL_ERR_ABI_MISMATCH',
      (s) => {
        s.abi = 99;
      },
    ],
    [
      'another ABI version without the rest',
      'POOL_ERR_ABI_MISMATCH',
      (s) => {
        s.abi = 99;
        delete s.options;
      },
    ],
    [
      'another layout',
      'POOL_ERR_ABI_MISMATCH',
      (s) => {
        s.layoutHash = 1;
      },
    ],
    [
      'no options',
      'POOL_ERR_CORRUPT',
      (s) => {
        delete s.options;
      },
    ],
    [
      'no memory',
      'POOL_ERR_CORRUPT',
      (s) => {
        delete s.memory;
      },
    ],
    [
      'memory that is not shared',
      'POOL_ERR_CORRUPT',
      (s) => {
        s.memory = new ArrayBuffer(1024);
      },
    ],
    [
      'memory that is too short',
      'POOL_ERR_CORRUPT',
      (s) => {
        s.memory = new SharedArrayBuffer(65536);
      },
    ],
    [
      'memory of zeros',
      'POOL_ERR_CORRUPT',
      (s) => {
        s.memory = new SharedArrayBuffer(4 << 20);
      },
    ],
    [
      'another identity',
      'POOL_ERR_CORRUPT',
      (s) => {
        s.identity = [1, 2, 3, 4];
      },
    ],
    [
      'a short identity',
      'POOL_ERR_CORRUPT',
      (s) => {
        s.identity = [1];
      },
    ],
    [
      'another page count',
      'POOL_ERR_CORRUPT',
      (s) => {
        (s.options as { pageCount: number }).pageCount = 63;
      },
    ],
    [
      'an impossible page count',
      'POOL_ERR_CORRUPT',
      (s) => {
        (s.options as { pageCount: unknown }).pageCount = 'x';
      },
    ],
    [
      'another page size',
      'POOL_ERR_CORRUPT',
      (s) => {
        (s.options as { pageBytes: number }).pageBytes = 8192;
      },
    ],
    [
      'a channel less',
      'POOL_ERR_CORRUPT',
      (s) => {
        (s.options as { channels: unknown[] }).channels.pop();
      },
    ],
    [
      'another capacity',
      'POOL_ERR_CORRUPT',
      (s) => {
        (s.options as { channels: { capacity: number }[] }).channels[0]!.capacity = 9;
      },
    ],
    [
      'a channel that is none',
      'POOL_ERR_CORRUPT',
      (s) => {
        (s.options as { channels: unknown[] }).channels[0] = null;
      },
    ],
    [
      'an engine that does not exist',
      'POOL_ERR_CORRUPT',
      (s) => {
        s.engine = 'native';
      },
    ],
  ];
  // No range is checked by name: what a pool cannot have is not what its memory says.
  const impossible: [string, ...unknown[]][] = [
    ['pageBytes', 0, 8192, 4096.5, -4096, Number.NaN, '4096', 2 ** 40],
    ['pageCount', 0, 65, 63.5, -64, Infinity, '64', 2 ** 31],
    ['unitBytes', 0, 16, 48, 64.5, -64, '64', 8192],
    ['maxPorts', 0, 3, 2.5, '2', 2 ** 20],
    ['tokens', 0, 255, 256.5, '256', 2 ** 30],
    ['zero', 'on-release', 'always', 0, undefined],
    ['channels', 7, {}, [7], 'ab', Array.from({ length: 300 }, () => ({}))],
    ['calls', 7, {}, [null], [{ name: 'c', capacity: 2 }]],
    ['source', 7, null, {}],
  ];
  it.each(impossible)('refuses a share whose %s is none that the pool has, and writes nothing', (name, ...values) => {
    const { options } = share;
    const before = memoryOf(share).slice();
    for (const value of values)
      expect(
        codeOf(() => attach({ ...share, options: { ...options, [name]: value } })),
        String(value),
      ).toBe('POOL_ERR_CORRUPT');
    expect(Buffer.compare(memoryOf(share).slice(), before)).toBe(0);
  });

  const queue: [string, ...unknown[]][] = [
    ['name', 7, undefined],
    ['capacity', 0, 2, 0.5, '1024', 2 ** 31],
    ['batch', 0, 1, 33, '32'],
    ['whenFull', 'drop-newest', 'drop', 'toString', undefined],
  ];
  it.each(queue)('refuses a share with a channel whose %s is none that the pool has', (name, ...values) => {
    const { options } = share;
    const [first, ...rest] = options.channels;
    for (const value of values) {
      const channels = [{ ...first, [name]: value }, ...rest];
      expect(
        codeOf(() => attach({ ...share, options: { ...options, channels } })),
        String(value),
      ).toBe('POOL_ERR_CORRUPT');
    }
  });

  const sources: [string, ...unknown[]][] = [
    ['kind', 7, undefined],
    ['isOwn', false, 1],
    ['readable', false, 1],
    ['detachable', false, 1],
    ['reservePages', 1, -1, 0.5, '0'],
  ];
  it.each(sources)('refuses a share with a source whose %s is none that the pool has', (name, ...values) => {
    const { options } = share;
    for (const value of values) {
      const source = { ...options.source, [name]: value };
      expect(
        codeOf(() => attach({ ...share, options: { ...options, source } })),
        String(value),
      ).toBe('POOL_ERR_CORRUPT');
    }
  });

  it.each(tampered)('refuses a share with %s (%s) and writes nothing', (_, code, change) => {
    const bad = structuredCloneable(share) as unknown as Record<string, unknown>;
    change(bad);
    const before = memoryOf(share).slice();
    expect(codeOf(() => attach(bad))).toBe(code);
    expect(Buffer.compare(memoryOf(share).slice(), before)).toBe(0);
    expect(bad.memory instanceof SharedArrayBuffer && new Uint8Array(bad.memory).some((byte) => byte !== 0)).toBe(
      false,
    );
  });

  it.each([
    ['magic', HEADER_MAGIC_OFFSET, 'POOL_ERR_CORRUPT'],
    ['ABI version', HEADER_ABI_OFFSET, 'POOL_ERR_ABI_MISMATCH'],
    ['layout hash', HEADER_HASH_OFFSET, 'POOL_ERR_ABI_MISMATCH'],
    ['geometry', HEADER_WORDS_OFFSET, 'POOL_ERR_CORRUPT'],
  ])('refuses memory whose %s was overwritten', (_, offset, code) => {
    const words = new Uint32Array((share.memory as WebAssembly.Memory).buffer);
    const index = (CONTROL_BASE + offset) >>> 2;
    const word = words[index] as number;
    words[index] = word ^ 0x40;
    expect(codeOf(() => attach(share))).toBe(code);
    words[index] = word;
  });

  it('of a closing pool is refused', async () => {
    const page = pool.alloc();
    pool.destroy();
    expect(codeOf(() => attach(share))).toBe('POOL_ERR_CLOSING');
    pool.release(page);
    await pool.close();
    expect(codeOf(() => attach(share))).toBe('POOL_ERR_DESTROYED');
  });
});
