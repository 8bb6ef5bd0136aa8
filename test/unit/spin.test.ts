// How long a thread spins before it sleeps: as long as sleeps taught it that it helps, by a clock that a test moves.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BLOCKING, LISTENING, Spin } from '../../src/port/spin.js';

/** Microseconds from one probe to the next. */
const PROBE_US = 0.25;

let nowMs = 0;

beforeEach(() => {
  nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** How long it spins for what never comes, microseconds. */
function spunUs(spin: Spin): number {
  let count = 0;
  const found = spin.until(() => {
    count++;
    nowMs += PROBE_US / 1000;
    return undefined;
  });
  expect(found).toBeUndefined();
  return count * PROBE_US;
}

describe('a thread that spins before it sleeps', () => {
  it('stops when there is something, and returns it', () => {
    let count = 0;
    expect(new Spin().until(() => (++count === 3 ? 'found' : undefined))).toBe('found');
    expect(count).toBe(3);
  });

  it.each([
    { limits: LISTENING, mostUs: 25, mostProbes: 1024, name: 'an event loop' },
    { limits: BLOCKING, mostUs: 50, mostProbes: 4096, name: 'a thread that blocks' },
  ])('$name spins for $mostUs us at most, and also where the clock stands still it ends', (each) => {
    const spin = new Spin(each.limits);
    const us = spunUs(spin);
    expect(us).toBeLessThanOrEqual(each.mostUs + 16 * PROBE_US);
    expect(us).toBeGreaterThanOrEqual(each.mostUs);
    let count = 0;
    expect(spin.until(() => void count++)).toBeUndefined();
    expect(count).toBe(each.mostProbes);
  });

  it('learns from a sleep that spinning would have met, and forgets by longer ones', () => {
    const spin = new Spin(BLOCKING);
    const first = spunUs(spin);
    spin.slept(BLOCKING.shortSleepMs);
    expect(spunUs(spin)).toBe(first);
    spin.slept(BLOCKING.shortSleepMs + 0.001);
    expect(spunUs(spin)).toBeLessThan(first);
    spin.slept(BLOCKING.shortSleepMs);
    expect(spunUs(spin)).toBe(first);
  });

  it('spins less after long sleeps, and longer again after short ones', () => {
    const spin = new Spin();
    const first = spunUs(spin);
    spin.slept(1);
    const second = spunUs(spin);
    expect(second).toBeLessThan(first);
    for (let i = 0; i < 20; i++) spin.slept(1000);
    const least = spunUs(spin);
    expect(least).toBeLessThan(second);
    expect(least).toBeGreaterThan(0);
    spin.slept(0.03);
    spin.slept(0.03);
    expect(spunUs(spin)).toBeGreaterThan(least);
    for (let i = 0; i < 20; i++) spin.slept(0.03);
    expect(spunUs(spin)).toBe(first);
  });

  it('no more than now and then where spins meet nothing, however short the sleeps are, and as before when one does', () => {
    const spin = new Spin();
    const first = spunUs(spin);
    /** How many of the next 320 spin at all, with short sleeps between them. */
    const spins = (): number => {
      let count = 0;
      for (let i = 0; i < 320; i++) {
        if (spunUs(spin) > 0) count++;
        spin.slept(LISTENING.shortSleepMs);
      }
      return count;
    };
    expect(spins()).toBeLessThan(20);
    expect(spins()).toBe(10);
    let found: boolean | undefined;
    while (found === undefined) found = spin.until(() => true);
    expect(spunUs(spin)).toBe(first);
    expect(spunUs(spin)).toBe(first);
  });

  it('throws what a probe throws', () => {
    expect(() =>
      new Spin().until(() => {
        throw new Error('closed');
      }),
    ).toThrow('closed');
  });
});
