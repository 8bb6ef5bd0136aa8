// Timers: whom they keep alive, and that none is left where nobody waits any more.

import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { later } from '../../src/node/later.js';
import { startTimer } from '../../src/platform/timers.js';

const HOUR_MS = 3_600_000;
/** Timers that keep this process alive. */
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

it('one that is started keeps no process alive', () => {
  const before = timers();
  const timer = startTimer(() => {}, HOUR_MS);
  expect([timers(), (timer as unknown as NodeJS.Timeout).hasRef()]).toEqual([before, false]);
  clearTimeout(timer);
});

it('a wait for later holds the process, and leaves neither timer nor listener when it is given up', async () => {
  const before = timers();
  const { signal, ...control } = newControl();
  const waiting = later(HOUR_MS, signal);
  expect([timers(), getEventListeners(signal, 'abort').length]).toEqual([before + 1, 1]);
  control.abort(new Error('given up'));
  expect([timers(), getEventListeners(signal, 'abort').length]).toEqual([before, 0]);
  await expect(waiting).rejects.toThrow('given up');
  await expect(later(HOUR_MS, signal)).rejects.toThrow('given up');
  expect(timers()).toBe(before);
});

it('a wait for later that is over leaves no listener', async () => {
  const { signal } = newControl();
  await later(1, signal);
  await later(1, undefined);
  expect(getEventListeners(signal, 'abort').length).toBe(0);
});

function newControl() {
  const control = new AbortController();
  return { signal: control.signal, abort: (reason: Error) => control.abort(reason) };
}
