// References between real threads: last releases at the same time, retains, pins that go with the last user, tokens
// adopted twice.

import { describe, expect, it } from 'vitest';
import { ENGINES, runShape } from './run.js';

describe.each(ENGINES)('%s', (_, engines) => {
  const options = { pageCount: 6, channels: { c: { capacity: 4, batch: 1 } } };

  it('of two last releases one takes the page home, and what both had written is there', async () => {
    await runShape('last release', 2, engines, 40_000, options);
  });

  it('references that go up and down in two threads never end a page that is held', async () => {
    await runShape('retain', 2, engines, 60_000, options);
  });

  it('a page is untouched until its pin goes, and comes back once, whichever goes first', async () => {
    await runShape('pins', 2, engines, 15_000, options);
  });

  it('of two that adopt a token one gets the reference, with everything that was lent', async () => {
    const { rounds, sum } = await runShape('tokens', 2, engines, 15_000, options);
    expect(sum('won')).toBe(rounds);
  });
});
