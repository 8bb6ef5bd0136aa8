// Publication between real threads: through the recycle ring, through channels one by one, in bursts, and where entries
// are dropped.

import { describe, expect, it } from 'vitest';
import { ENGINES, runShape } from './run.js';
import { PLACES } from './shape.js';

describe.each(ENGINES)('%s', (_, engines) => {
  it('what an owner wrote into a page is there for the next owner, whoever that is', async () => {
    const { sum, pool } = await runShape('ring', 2, engines, 100_000, { pageCount: 6, channels: { c: {} } });
    // No addition was lost: every owner went on from what the one before had left.
    const counts = Array.from({ length: 6 }, () => new Uint32Array(pool.bytes(pool.alloc()).slice().buffer));
    for (const words of counts) expect(new Set(PLACES.map((place) => words[place])).size).toBe(1);
    expect(counts.reduce((total, [count = 0]) => total + count, 0)).toBe(sum('owned'));
    pool.detach({ release: true });
  });

  it('what a sender wrote is there when its entry comes, and entries come in order', async () => {
    const options = { pageCount: 12, channels: { c: { capacity: 8, batch: 1 } } };
    const { rounds, sum } = await runShape('single', 2, engines, 50_000, options);
    expect([sum('sent'), sum('received')]).toEqual([rounds, rounds]);
  });

  it('the same in bursts', async () => {
    const options = { pageCount: 100, channels: { c: { capacity: 64, batch: 8 } } };
    const { rounds, sum } = await runShape('burst', 2, engines, 200_000, options);
    expect([sum('sent'), sum('received')]).toEqual([rounds, rounds]);
  });

  it('the same where the oldest entries are dropped: none that comes is touched, and all are counted', async () => {
    const options = { pageCount: 24, channels: { c: { capacity: 3, batch: 2, whenFull: 'drop-oldest' } } } as const;
    const { rounds, sum, pool } = await runShape('drop-oldest', 2, engines, 100_000, options);
    expect(sum('sent')).toBe(rounds);
    expect(sum('received') + pool.channel('c').dropped).toBe(rounds);
  });
});
