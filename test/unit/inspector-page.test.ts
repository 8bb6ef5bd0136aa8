// Figures of the inspector's page, and the ticks of its plots, without a browser.

import { PagePool } from 'pagepool';
import { observe } from 'pagepool/inspect';
import { expect, it } from 'vitest';
import { History } from '../../src/inspector/page/history.js';
import { ageText, BINARY, DECIMAL, timeTicks, valueTicks } from '../../src/inspector/page/ticks.js';
import type { Look } from '../../src/inspector/wire.js';

it('hand-offs are entries and calls: the tile has the sum of what the plot shows', async () => {
  const pool = PagePool.createSync({ pageCount: 32, channels: { work: {} }, calls: { ask: {} } }) as PagePool<never>;
  const observer = observe(pool);
  const history = new History();
  const look = (): Look => ({ ...observer.snapshot(), at: 0, lints: [], holders: [], leaks: [], events: [] });
  history.add(look());
  const figures = history.add({
    ...look(),
    rates: { ...(look().rates as NonNullable<Look['rates']>), channels: [rate({ received: 3 })], calls: [answered(4)] },
  });
  expect(figures.handOffs).toBe(7);
  const last = (column: string) => history.columns.get(column)?.at(-1);
  expect([last('channel work'), last('calls ask')]).toEqual([3, 4]);
  await pool.close();
});

const rate = ({ received }: { received: number }) => ({ sent: 9, received, dropped: 0 });
const answered = (count: number) => ({ asked: 9, answered: count });

it.each([
  [0, [0, 1]],
  [1, [0, 1]],
  [3, [0, 1, 2, 3]],
  [3.1, [0, 2, 4]],
  [368, [0, 200, 400]],
  [4674, [0, 2000, 4000, 6000]],
])('values up to %d have the ticks %j', (max, ticks) => expect(valueTicks(max, DECIMAL)).toEqual(ticks));

it('the last tick is no lower than the largest value, and is its own range', () => {
  for (const distances of [DECIMAL, BINARY]) {
    for (let max = 0; max < 1e12; max = 1.37 * max + 0.3) {
      const ticks = valueTicks(max, distances);
      expect(ticks.at(-1), String(max)).toBeGreaterThanOrEqual(max);
      expect(ticks.length, String(max)).toBeLessThanOrEqual(4);
      expect(valueTicks(ticks.at(-1) as number, distances), String(max)).toEqual(ticks);
    }
  }
});

it('times have round ages up to now', () => {
  const ages = (first: number, last: number) => timeTicks(first, last).map((at) => ageText(last - at));
  expect(ages(1000.4, 1060.4)).toEqual(['60 s', '40 s', '20 s', 'now']);
  expect(ages(1000.4, 1073.9)).toEqual(['60 s', '40 s', '20 s', 'now']);
  expect(ages(0, 150)).toEqual(['2.5 min', '2 min', '90 s', '60 s', '30 s', 'now']);
  expect(ages(0, 299.8)).toEqual(['4 min', '3 min', '2 min', '60 s', 'now']);
});
