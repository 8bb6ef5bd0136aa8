// The explorer itself: it tries what it says it tries.

import { expect, test } from 'vitest';
import { DESCRIPTOR_SHIFT } from '../../assembly/layout.js';
import { buildModel } from './build-model.js';
import { type End, explore, type Scenario, trace } from './explorer.js';
import { scenarioNamed } from './scenarios/all.js';

const names = [
  'last release against last release',
  'last releases of two fragments of a page',
  'bias drain by parking against release',
  'send against receive, capacity 1, full, wrap',
];

test.each(names)('%s: states seen before lead to nothing new', async (name) => {
  const module = await buildModel();
  const short = explore(scenarioNamed(name), module);
  const long = explore(scenarioNamed(name), module, { everySchedule: true });
  expect(long.failure).toBeUndefined();
  expect(long.runs).toBe(long.schedules);
  expect(short.schedules).toBe(long.schedules);
  expect(Object.fromEntries(short.outcomes)).toEqual(Object.fromEntries(long.outcomes));
});

test('with a bound both ways agree as well, and a larger bound reaches more', async () => {
  const module = await buildModel();
  const scenario = scenarioNamed('last release against last release against last release');
  const counts = [0, 1, 2].map((bound) => {
    const short = explore({ ...scenario, bound }, module);
    const long = explore({ ...scenario, bound }, module, { everySchedule: true });
    expect(short.schedules).toBe(long.schedules);
    return short.schedules;
  });
  // Three threads one after the other: 3! orders.
  expect(counts[0]).toBe(6);
  expect(counts[1]!).toBeGreaterThan(counts[0]!);
  expect(counts[2]!).toBeGreaterThan(counts[1]!);
});

test('an outcome that is not in the table fails with a schedule that shows it again', async () => {
  const module = await buildModel();
  const scenario = {
    ...scenarioNamed('unpin against last release'),
    outcomes: { 'cache 0': 'the other one is missing' },
  };
  const { failure } = explore(scenario, module);
  expect(failure?.message).toBe('outcome not in the table: retired');
  expect(trace(scenario, module, failure!.schedule).at(-1)).toContain('outcome not in the table: retired');
});

test('a scenario that is too large is an error, not a pass', async () => {
  const exploration = explore(scenarioNamed('token adopted twice'), await buildModel(), { maxRuns: 1 });
  expect(exploration.failure?.message).toContain('more than 1 runs');
});

test('a thread that is killed stays where it was', async () => {
  const counted = ({ pool, results }: End) => {
    const { descriptorsOffset, ledgersOffset } = pool.geometry;
    const count = pool.read(descriptorsOffset + (1 << DESCRIPTOR_SHIFT));
    const row = pool.memory.u16[(ledgersOffset + 2) >>> 1];
    return `${results[0]!.length === 1 ? 'released' : 'killed'}: row ${row}, count ${count}`;
  };
  const scenario: Scenario = {
    name: 'a shared release is killed',
    threads: 2,
    kills: 1,
    setup(pool) {
      const handle = pool.port(0).alloc();
      pool.port(0).retain(handle, 1);
      pool.give(0, 1, handle);
      return [[['release', handle]], []];
    },
    outcome: counted,
    outcomes: {
      'killed: row 1, count 2': 'before the row went down',
      'killed: row 0, count 2': 'between row and count: one reference too many, for a reaper to mark',
      'released: row 0, count 1': 'not killed',
    },
  };
  const exploration = explore(scenario, await buildModel());
  expect(exploration.failure).toBeUndefined();
  expect([...exploration.outcomes.keys()].sort()).toEqual(Object.keys(scenario.outcomes).sort());
});
