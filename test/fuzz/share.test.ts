// Shares that were cut short, changed, or never were: refused with a code, and not a byte of their memory is written.
//
// Random changes of the share and of the memory's header. Prints its seed; SEED=n replays.

import { PagePool, type PagePoolError, type PoolShare } from 'pagepool';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROL_BASE, HEADER_GENERATION_SEED_OFFSET, HEADER_GROW_STEP_OFFSET } from '../../assembly/layout.js';
import { planGeometry } from '../../src/control/geometry.js';
import { resolveOptions } from '../../src/pool/options.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { loadAnotherRealm } from '../support/realm.js';

const options = { pageCount: 30, maxPorts: 2, channels: { a: {}, b: { capacity: 3, batch: 1 } } };
const geometry = planGeometry(resolveOptions('create', options));
const seed = chooseSeed('share');

let pool: PagePool;
let share: PoolShare;
let attach: (share: unknown) => PagePool;
let bytes: Uint8Array;

beforeAll(async () => {
  pool = PagePool.createSync(options);
  share = pool.share();
  const realm = await loadAnotherRealm();
  attach = (value) => realm.PagePool.attach(value as never) as unknown as PagePool;
  bytes = new Uint8Array((share.memory as WebAssembly.Memory).buffer);
});
afterAll(() => pool.destroy());

/** The code of the refusal; throws when it was none, or when the memory was written. */
function refusalOf(value: unknown, memory: Uint8Array = bytes): string {
  const before = Buffer.from(memory);
  let error: unknown;
  try {
    attach(value).detach();
  } catch (caught) {
    error = caught;
  }
  if (Buffer.compare(before, Buffer.from(memory)) !== 0) throw new Error('the memory was written');
  const { code, name } = (error ?? {}) as PagePoolError;
  if (name !== 'PagePoolError') throw new Error(`expected a refusal, not ${String(error)}`);
  return code;
}

const CODES = /^POOL_ERR_(ABI_MISMATCH|CORRUPT|INVALID_ARGUMENT)$/;

describe('a share', () => {
  it('as it was made attaches, and its copy does', () => {
    attach(share).detach();
    attach({ ...share, options: structuredClone(share.options) }).detach();
  });

  it('without any one of its parts is refused', () => {
    for (const key of Object.keys(share).filter((key) => key !== 'module')) {
      const { [key as 'name']: _, ...rest } = share;
      expect(refusalOf(rest), key).toMatch(CODES);
    }
    for (const key of Object.keys(share.options)) {
      const { [key as 'zero']: _, ...rest } = share.options;
      // Where the default is what the pool has, nothing is missing.
      const isDefault =
        { pageBytes: 4096, unitBytes: 64, tokens: 256, zero: 'never' }[key] === share.options[key as 'zero'];
      if (!isDefault) expect(refusalOf({ ...share, options: rest }), key).toMatch(CODES);
    }
  });

  it('of another ABI version or layout is a mismatch', () => {
    for (const abi of [
      0,
      share.abi - 1,
      share.abi + 1,
      -1,
      1.5,
      Number.NaN,
      `${share.abi}`,
      null,
      2 ** 32 + share.abi,
    ]) {
      expect(refusalOf({ ...share, abi })).toBe('POOL_ERR_ABI_MISMATCH');
    }
    for (const layoutHash of [0, share.layoutHash + 1, -share.layoutHash, `${share.layoutHash}`, null]) {
      expect(refusalOf({ ...share, layoutHash })).toBe('POOL_ERR_ABI_MISMATCH');
    }
  });

  it.each([undefined, null, 0, 'share', true, [], {}, { kind: 'pagepool' }, { kind: 'pagepool', abi: 1 }, () => {}])(
    'is not %s',
    (value) => {
      expect(refusalOf(value)).toMatch(CODES);
    },
  );

  it('with any value in the place of any of its parts is refused, or means the same', () => {
    const random = randomFrom(seed);
    const values: unknown[] = [0, 1, -1, 2 ** 31, 1.5, Number.NaN, '', 'x', null, [], {}, [1, 2, 3, 4], true];
    const keys = ['kind', 'abi', 'layoutHash', 'identity', 'memory', 'engine', 'options'] as const;
    const optionKeys = ['pageBytes', 'pageCount', 'unitBytes', 'maxPorts', 'zero', 'channels'] as const;
    for (let i = 0; i < 600; i++) {
      const value = random() % 3 === 0 ? random() : values[random() % values.length];
      if (random() % 2 === 0) {
        const key = keys[random() % keys.length] as (typeof keys)[number];
        if (share[key] !== value)
          expect(refusalOf({ ...share, [key]: value }), `${key}=${String(value)}`).toMatch(CODES);
      } else {
        const key = optionKeys[random() % optionKeys.length] as (typeof optionKeys)[number];
        if (share.options[key] === value) continue;
        expect(refusalOf({ ...share, options: { ...share.options, [key]: value } }), `${key}=${String(value)}`).toMatch(
          CODES,
        );
      }
    }
  });

  it('whose identity is another pool’s is refused', () => {
    const other = PagePool.createSync(options);
    const { identity } = other.share();
    expect(refusalOf({ ...share, identity })).toBe('POOL_ERR_CORRUPT');
    expect(refusalOf({ ...other.share(), memory: share.memory })).toBe('POOL_ERR_CORRUPT');
    other.destroy();
  });

  it('with any bit of the constant words flipped in its memory is refused', () => {
    const random = randomFrom(seed + 1);
    const header = Array.from({ length: 7 }, (_, i) => CONTROL_BASE + 4 * i);
    const words = [...header, ...geometry.constants.map(([address]) => address)];
    const u32 = new Uint32Array(bytes.buffer);
    expect(words).not.toContain(CONTROL_BASE + HEADER_GENERATION_SEED_OFFSET);
    expect(words).not.toContain(CONTROL_BASE + HEADER_GROW_STEP_OFFSET);
    for (const address of words) {
      for (const bit of [random() % 32, random() % 32, 0, 31]) {
        const word = u32[address >>> 2] as number;
        u32[address >>> 2] = word ^ (1 << bit);
        expect(refusalOf(share), `bit ${bit} of ${address}`).toMatch(/^POOL_ERR_(ABI_MISMATCH|CORRUPT)$/);
        u32[address >>> 2] = word;
      }
    }
    attach(share).detach();
  });

  it('whose memory ends early, is empty, or is filled with noise is refused', () => {
    const random = randomFrom(seed + 2);
    for (let i = 0; i < 60; i++) {
      const pages = random() % 8;
      const memory = new SharedArrayBuffer(i % 3 === 0 ? (random() % 200_000) & ~7 : (pages + 1) * 65536);
      const content = new Uint8Array(memory);
      if (i % 2 === 0) for (let j = 0; j < content.length; j += 1 + (random() % 64)) content[j] = random();
      // The first part of the right memory, cut anywhere before its end.
      else content.set(bytes.subarray(0, Math.min(content.length, geometry.scratchOffset)));
      if (content.length >= geometry.scratchOffset + geometry.maxPorts * geometry.scratchBytes && i % 2 === 1) continue;
      expect(refusalOf({ ...share, memory, engine: 'typescript' }, content)).toMatch(
        /^POOL_ERR_(ABI_MISMATCH|CORRUPT)$/,
      );
    }
  });
});
