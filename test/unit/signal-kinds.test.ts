// What counts as a signal: what says that it is aborted, or throws then, and can be listened to.

import { describe, expect, it } from 'vitest';
import { requireWaitOptions, type Wait, waitFor } from '../../src/port/waiting.js';

const listening = { addEventListener() {}, removeEventListener() {} };
const probe = (): true => true;
/** As much of a wait as is read before its first probe succeeds. */
const wait = { call: 'next', port: { waits: 0 }, event: {}, probe } as unknown as Wait<true>;

describe('a signal', () => {
  it.each([
    ['that says whether it is aborted', { ...listening, aborted: false }],
    ['that throws when it is aborted', { ...listening, throwIfAborted() {} }],
  ])('%s is one', async (_, signal) => {
    const options = requireWaitOptions('next', { signal });
    expect(await waitFor(wait, options)).toBe(true);
  });

  it('that throws when it is aborted ends the wait before anything is done', async () => {
    const reason = new Error('aborted');
    const throwIfAborted = (): never => {
      throw reason;
    };
    const options = requireWaitOptions('next', { signal: { ...listening, throwIfAborted } });
    await expect(waitFor(wait, options)).rejects.toBe(reason);
  });

  it('is none where it is another target of events', () => {
    expect(() => requireWaitOptions('next', { signal: new EventTarget() })).toThrow('signal');
  });
});
