// One wait, step by step, on an event that a test plays: what it asks, in which order, and what it leaves.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { portOf } from '../../src/pool/enrolled.js';
import { PagePool } from '../../src/pool/page-pool.js';
import type { Port, WaitWatch } from '../../src/port/port.js';
import { catchUp, type Wait, waitFor } from '../../src/port/waiting.js';
import type { WaitEvent } from '../../src/port/waits.js';
import { until } from '../support/waiting.js';

let pool: PagePool;
let port: Port;
beforeEach(async () => {
  pool = await PagePool.create({ pageCount: 4 });
  port = portOf('test', pool);
});
afterEach(async () => {
  expect(port.waits).toBe(0);
  await pool.close();
});

/** An event whose calls are kept; `ring` checks the waits as news do. */
function makeEvent({ hears = true, isSpinning = false } = {}) {
  const calls: string[] = [];
  const checks = new Set<() => void>();
  const spin = { until: vi.fn((): unknown => undefined), slept: vi.fn() };
  const event: WaitEvent = {
    begin: (check, units) => {
      calls.push(`begin ${units}`);
      checks.add(check);
    },
    end: (check, units) => {
      calls.push(`end ${units}`);
      checks.delete(check);
    },
    settle: (isPeek) => void calls.push(`settle ${isPeek}`),
    arm: (units) => {
      calls.push(`arm ${units}`);
      return 7;
    },
    listen: (armed) => {
      calls.push(`listen ${armed}`);
      return hears;
    },
    ...(isSpinning ? { spin: spin as never } : {}),
  };
  // A thread whose waits succeed one after the other lets its event loop run before the next one begins.
  const begun = (): Promise<void> => until(() => checks.size > 0);
  const ring = (): void => checks.forEach((check) => void check());
  return { begun, calls, event, ring, spin };
}

const wait = (event: WaitEvent, more: Partial<Wait<string>> = {}): Wait<string> => ({
  call: 'takeAsync',
  port,
  event,
  probe: () => undefined,
  ...more,
});

describe('a wait', () => {
  test('arms before it probes, listens behind it, and pays what it owes when it has ended', async () => {
    const { begun, calls, event, ring } = makeEvent();
    let result: string | undefined;
    const probe = () => {
      calls.push('probe');
      return result;
    };
    const waiting = waitFor(wait(event, { probe }), {});
    await begun();
    expect(calls).toEqual(['probe', 'begin one', 'arm one', 'probe', 'listen 7']);
    expect(port.waits).toBe(1);
    result = 'page';
    calls.length = 0;
    ring();
    expect(calls).toEqual(['arm one', 'probe', 'end one', 'settle false']);
    expect(await waiting).toBe('page');
    ring();
    expect(calls).toHaveLength(4);
  });

  test.each(['several', 'none'] as const)('says which units it needs: %s', async (units) => {
    const { begun, calls, event, ring } = makeEvent();
    let result: string | undefined;
    const waiting = waitFor(wait(event, { units, isPeek: true, probe: () => result }), {});
    await begun();
    expect(calls).toEqual([`begin ${units}`, `arm ${units}`, 'listen 7']);
    result = 'room';
    ring();
    expect(await waiting).toBe('room');
    expect(calls.slice(3)).toEqual([`arm ${units}`, `end ${units}`, 'settle true']);
  });

  test('that has its result at once sleeps nowhere', async () => {
    const { calls, event, spin } = makeEvent({ isSpinning: true });
    expect(await waitFor(wait(event, { probe: () => 'page' }), {})).toBe('page');
    expect([calls, spin.until.mock.calls.length]).toEqual([[], 0]);
  });

  test('gives up once, and tells nobody that it took something', async () => {
    const { begun, calls, event } = makeEvent();
    const giveUp = vi.fn();
    const control = new AbortController();
    const waiting = waitFor(wait(event, { giveUp, isPeek: true }), { signal: control.signal });
    await begun();
    control.abort('enough');
    await expect(waiting).rejects.toBe('enough');
    expect([giveUp.mock.calls.length, calls.slice(3)]).toEqual([1, ['end one', 'settle false']]);
    const late = waitFor(wait(event, { giveUp }), { signal: control.signal });
    await expect(late).rejects.toBe('enough');
    expect([giveUp.mock.calls.length, calls.length]).toEqual([2, 5]);
  });

  test('asks a signal that can only throw whether it is aborted', async () => {
    const { calls, event } = makeEvent();
    const signal = {
      throwIfAborted: () => {
        throw new Error('long ago');
      },
      addEventListener() {},
      removeEventListener() {},
    };
    await expect(waitFor(wait(event), { signal: signal as never })).rejects.toThrow('long ago');
    expect(calls).toEqual([]);
  });
});

describe('a thread that waits for one thing alone', () => {
  test('spins first, by the question where there is one, and tells how long it slept', async () => {
    const { begun, event, ring, spin } = makeEvent({ isSpinning: true });
    let [isThere, probes] = [false, 0];
    const probe = () => {
      probes++;
      return isThere ? 'page' : undefined;
    };
    const waiting = waitFor(wait(event, { ask: () => isThere, probe }), {});
    await begun();
    expect(spin.until).toHaveBeenCalledTimes(1);
    const [question] = spin.until.mock.calls[0] as unknown as [() => unknown];
    const before = probes;
    expect([question(), probes]).toEqual([undefined, before]);
    isThere = true;
    expect([question(), probes]).toEqual(['page', before + 1]);
    ring();
    expect(await waiting).toBe('page');
    expect(spin.slept).toHaveBeenCalledTimes(1);
    expect(spin.slept.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(0);
  });

  test('takes what it spun for without sleeping', async () => {
    const { calls, event, spin } = makeEvent({ isSpinning: true });
    spin.until.mockReturnValueOnce('page');
    expect(await waitFor(wait(event), {})).toBe('page');
    expect([calls, spin.slept.mock.calls.length]).toEqual([[], 0]);
  });

  test('learns nothing from a sleep that nobody ended', async () => {
    const { begun, event, spin } = makeEvent({ isSpinning: true });
    const control = new AbortController();
    const waiting = waitFor(wait(event), { signal: control.signal });
    await begun();
    control.abort('enough');
    await expect(waiting).rejects.toBe('enough');
    expect(spin.slept).not.toHaveBeenCalled();
  });

  test('does not spin when it may not wait', async () => {
    const { event, spin } = makeEvent({ isSpinning: true });
    await expect(waitFor(wait(event), { timeoutMs: 0 })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    expect(spin.until).not.toHaveBeenCalled();
  });
});

test('a thread that waits for something else as well neither spins nor learns', async () => {
  const first = makeEvent();
  const second = makeEvent({ isSpinning: true });
  let isThere = false;
  const probe = () => (isThere ? 'page' : undefined);
  const waits = [waitFor(wait(first.event, { probe }), {})];
  await first.begun();
  waits.push(waitFor(wait(second.event, { probe }), {}));
  await second.begun();
  expect(second.spin.until).not.toHaveBeenCalled();
  isThere = true;
  first.ring();
  second.ring();
  expect(await Promise.all(waits)).toEqual(['page', 'page']);
  expect(second.spin.slept).not.toHaveBeenCalled();
});

test('a thread that wakes follows the areas of its pool, and serves the others where it is the owner', () => {
  const [follow, serveQuietly] = [vi.fn(), vi.fn()];
  catchUp({ ...port, areas: { follow }, supply: { serveQuietly } } as never);
  expect([follow.mock.calls.length, serveQuietly.mock.calls.length]).toEqual([1, 1]);
  catchUp({ ...port, areas: undefined, supply: undefined });
});

describe('by timers', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test('a wait that nobody can ring probes after 1, 2, 4, 8 and then every 10 ms', async () => {
    const { begun, event } = makeEvent({ hears: false });
    const probe = vi.fn((): string | undefined => undefined);
    const waiting = waitFor(wait(event, { probe }), {});
    await begun();
    const counts = [1, 2, 4, 8, 10, 10].map((ms) => {
      const before = probe.mock.calls.length;
      vi.advanceTimersByTime(ms - 1);
      expect(probe).toHaveBeenCalledTimes(before);
      vi.advanceTimersByTime(1);
      return probe.mock.calls.length - before;
    });
    expect(counts).toEqual([1, 1, 1, 1, 1, 1]);
    probe.mockReturnValue('page');
    vi.advanceTimersByTime(10);
    expect(await waiting).toBe('page');
  });

  test('one that needs none of the units probes by its own timer as well', async () => {
    const { begun, event } = makeEvent();
    const probe = vi.fn((): string | undefined => undefined);
    const waiting = waitFor(wait(event, { probe, units: 'none' }), {});
    await begun();
    probe.mockReturnValue('news');
    vi.advanceTimersByTime(1);
    expect(await waiting).toBe('news');
    const heard = makeEvent();
    const control = new AbortController();
    const other = waitFor(wait(heard.event, { probe: () => undefined }), { signal: control.signal });
    await heard.begun();
    const before = heard.calls.length;
    vi.advanceTimersByTime(1000);
    expect(heard.calls.length).toBe(before);
    control.abort('enough');
    await expect(other).rejects.toBe('enough');
  });

  test('a timeout ends it in its time, also one that is longer than a timer, and leaves none', async () => {
    const left = vi.getTimerCount();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1000);
    for (const timeoutMs of [1000, 2 ** 31 + 1000]) {
      const { begun, event } = makeEvent();
      const end = vi.fn();
      const waiting = waitFor(wait(event), { timeoutMs }).catch(end);
      await begun();
      vi.advanceTimersByTime(timeoutMs - 1);
      await Promise.resolve();
      expect(end).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      await waiting;
      expect(end.mock.calls[0]?.[0]).toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
      expect(vi.getTimerCount()).toBe(left);
    }
    clock.mockRestore();
  });
});

test('the error of a timeout tells where the pages are when it was long, and only where that is of use', async () => {
  const describe = vi.spyOn(port.waitWatch as WaitWatch, 'describe').mockReturnValue('the pages are there');
  const described = async (timeoutMs: number, more: Partial<Wait<string>>): Promise<boolean> => {
    const { event } = makeEvent();
    describe.mockClear();
    const { message } = (await waitFor(wait(event, more), { timeoutMs }).catch((error) => error)) as Error;
    expect(message).toContain(`timeoutMs=${timeoutMs} (expected an answer of pool`);
    expect(message.includes('the pages are there')).toBe(describe.mock.calls.length > 0);
    return describe.mock.calls.length > 0;
  };
  expect(await described(10, { isReported: true })).toBe(true);
  expect(await described(10, { isAnswer: true })).toBe(true);
  expect(await described(9, { isReported: true })).toBe(false);
  expect(await described(10, {})).toBe(false);
  describe.mockRestore();
});
