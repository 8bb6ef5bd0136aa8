// How long a thread looks before it sleeps: as long as sleeps taught it that it helps, by a clock that a test moves.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Looks } from '../../src/port/looks.js';

/** Microseconds from one look to the next. */
const LOOK_US = 1;

let nowMs = 0;

beforeEach(() => {
  nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** How long it looks for what never comes, microseconds. */
function lookedUs(looks: Looks): number {
  let count = 0;
  const found = looks.spin(() => {
    count++;
    nowMs += LOOK_US / 1000;
    return undefined;
  });
  expect(found).toBeUndefined();
  return count * LOOK_US;
}

describe('a thread that looks before it sleeps', () => {
  it('stops when there is something, and returns it', () => {
    let count = 0;
    expect(new Looks().spin(() => (++count === 3 ? 'found' : undefined))).toBe('found');
    expect(count).toBe(3);
  });

  it('looks 50 us at most, and also where the clock stands still it ends', () => {
    const looks = new Looks();
    expect(lookedUs(looks)).toBeLessThanOrEqual(50);
    let count = 0;
    expect(looks.spin(() => void count++)).toBeUndefined();
    expect(count).toBe(1024);
  });

  it('looks less after long sleeps, and longer again after short ones', () => {
    const looks = new Looks();
    const first = lookedUs(looks);
    looks.slept(1);
    const second = lookedUs(looks);
    expect(second).toBeLessThan(first);
    for (let i = 0; i < 20; i++) looks.slept(1000);
    const least = lookedUs(looks);
    expect(least).toBeLessThan(second);
    expect(least).toBeGreaterThan(0);
    looks.slept(0.03);
    looks.slept(0.03);
    expect(lookedUs(looks)).toBeGreaterThan(least);
    for (let i = 0; i < 20; i++) looks.slept(0.03);
    expect(lookedUs(looks)).toBe(first);
  });

  it('throws what a look throws', () => {
    expect(() =>
      new Looks().spin(() => {
        throw new Error('closed');
      }),
    ).toThrow('closed');
  });
});
