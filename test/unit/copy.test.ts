// Copies of bytes: the same whatever way the platform offers, and never by memcpy where both sides may be one.

import { describe, expect, test, vi } from 'vitest';
import { chooseCopy, copyBytes, mayOverlap } from '../../src/platform/copy.js';
import { chooseSeed, randomFrom } from '../support/ports.js';

const seed = chooseSeed('copy');
const random = randomFrom(seed);
const below = (count: number): number => random() % count;

const shared = (bytes: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(bytes));
const own = (bytes: number): Uint8Array => new Uint8Array(bytes);

/** Random bytes in the whole of it. */
function filled(view: Uint8Array): Uint8Array {
  for (let i = 0; i < view.length; i++) view[i] = below(256);
  return view;
}

describe('copyBytes', () => {
  test('copies what it is told to, in and out of shared memory, at every alignment and length', () => {
    for (let i = 0; i < 400; i++) {
      const room = 1 + below(i % 4 === 0 ? 40_000 : 1500);
      const from = filled((below(2) === 0 ? shared : own)(room + 16));
      const to = filled((below(2) === 0 ? shared : own)(room + 32));
      const length = below(room + 1);
      const [start, at, base] = [below(16), below(8), below(8)];
      const expected = Uint8Array.from(to);
      for (let k = 0; k < length; k++) expected[base + at + k] = from[start + k] as number;
      copyBytes(to.subarray(base), from.subarray(start, start + length), at);
      expect(Buffer.compare(Buffer.from(to), Buffer.from(expected)), `SEED=${seed}, copy ${i}`).toBe(0);
    }
  });

  test('copies within one memory as if through another, also where both lie on the same bytes', () => {
    for (const make of [shared, own]) {
      for (const [start, at] of [
        [0, 5000],
        [5000, 0],
        [0, 3],
        [3, 0],
        [0, 0],
        [0, 4096],
      ] as const) {
        const bytes = filled(make(9096));
        const expected = Uint8Array.from(bytes);
        expected.copyWithin(at, start, start + 4096);
        copyBytes(bytes, bytes.subarray(start, start + 4096), at);
        expect(Uint8Array.from(bytes)).toEqual(expected);
      }
    }
  });

  test('refuses what does not fit, and changes nothing', () => {
    for (const length of [100, 1000, 5000]) {
      const to = shared(length + 2);
      expect(() => copyBytes(to, own(length).fill(1), 3)).toThrow(RangeError);
      expect(to.every((byte) => byte === 0)).toBe(true);
    }
  });

  test('takes the way of Node for long copies that cannot overlap, and no other', async () => {
    const fill = vi.spyOn(Buffer.prototype, 'fill');
    // Which way is the faster one is for the machine to say. Here Node's is, which is timed first: each look at the
    // clock takes longer than the one before.
    let ms = 0;
    let looks = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      ms += ++looks;
      return ms;
    });
    try {
      vi.resetModules();
      const fresh = await import('../../src/platform/copy.js');
      const memory = shared(30_000);
      /** Whether Node's way is taken, once it is known. */
      const isFast = (target: Uint8Array, source: Uint8Array, at: number): boolean => {
        fresh.copyBytes(shared(5000), own(5000));
        fill.mockClear();
        fresh.copyBytes(target, source, at);
        return fill.mock.calls.length > 0;
      };
      expect(isFast(memory, own(4096), 8)).toBe(true);
      expect(isFast(own(4096), memory.subarray(0, 4096), 0)).toBe(true);
      expect(isFast(memory, own(300), 1)).toBe(true);
      expect(isFast(memory, memory.subarray(9000, 18_000), 0)).toBe(true);
      expect(isFast(memory, own(300), 8)).toBe(false);
      expect(isFast(memory, own(30), 1)).toBe(false);
      expect(isFast(memory, memory.subarray(9000, 18_001), 0)).toBe(false);
      expect(isFast(memory, shared(5000), 0)).toBe(false); // two objects: whether of one memory is not known
    } finally {
      clock.mockRestore();
      fill.mockRestore();
    }
  });
});

test('two views may overlap on one memory, and on two that may be one', () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const before = new Uint8Array(memory.buffer);
  memory.grow(1);
  const after = new Uint8Array(memory.buffer); // another object, the same bytes
  expect(mayOverlap(before.subarray(0, 10), after.subarray(5, 10), 0)).toBe(true);
  const one = shared(100);
  expect(mayOverlap(one.subarray(0, 50), one.subarray(50, 60), 0)).toBe(false);
  expect(mayOverlap(one.subarray(0, 50), one.subarray(40, 60), 0)).toBe(false);
  expect(mayOverlap(one.subarray(0, 50), one.subarray(40, 60), 21)).toBe(true);
  expect(mayOverlap(one.subarray(30), one.subarray(20, 31), 0)).toBe(true);
  expect(mayOverlap(one.subarray(30), one.subarray(20, 30), 0)).toBe(false);
  expect(mayOverlap(one, own(10), 0)).toBe(false);
  expect(mayOverlap(own(10), one, 0)).toBe(false);
});

test('a way that is wrong, refuses shared memory, or is slow is not taken', () => {
  const asked: string[] = [];
  const ways: Record<string, unknown> = {
    none: undefined,
    nothing() {
      asked.push('nothing');
    },
    tooFar(this: Uint8Array, source: Uint8Array, at: number, end: number) {
      asked.push('tooFar');
      Buffer.prototype.fill.call(this, source, at, end);
      if (at > 0) this[at - 1] = 1;
    },
    tooShort(this: Uint8Array, source: Uint8Array, at: number, end: number) {
      asked.push('tooShort');
      Buffer.prototype.fill.call(this, source, at, end - 1);
    },
    refusing() {
      asked.push('refusing');
      throw new TypeError('no shared memory');
    },
    slow(this: Uint8Array, source: Uint8Array, at: number) {
      asked.push('slow');
      for (let i = 0; i < 500; i++) this.set(source, at);
    },
  };
  for (const way of Object.values(ways)) {
    asked.length = 0;
    const copy = chooseCopy(way);
    asked.length = 0;
    const to = shared(5000);
    copy(to, own(4096).fill(7), 1);
    expect([to[0], to[1], to[4096], to[4097], asked.length]).toEqual([0, 7, 7, 0, 0]);
  }
});
