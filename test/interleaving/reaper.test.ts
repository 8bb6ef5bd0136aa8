// How reapers are explored, by a toy: what they leave undone is found, whoever dies where.

import { describe, expect, test } from 'vitest';
import { buildEngines, ENGINES } from './engines.js';
import { explore, type Scenario, trace } from './explorer.js';
import { reaped } from './reaping.js';
import { scenarioNamed } from './scenarios/all.js';
import { loadSuspendable } from './suspend/bundle.js';
import * as plain from './toy-reaper.js';

const name = 'a port dies in alloc or release, and a toy reaps it, against a last release';
const one = scenarioNamed(name);
const two = scenarioNamed(`${name}; and the reaper dies`);
const TOY = 'test/interleaving/toy-reaper.ts';

/** The scenario with a toy that is broken at one place. */
async function withFault(scenario: Scenario, find: string, replace: string): Promise<Scenario> {
  const { reapToy } = await loadSuspendable<typeof plain>(TOY, [{ file: TOY, find, replace }]);
  return { ...scenario, reaper: (pool, dead) => reapToy(pool.memory, pool.geometry, dead) };
}

describe.each(ENGINES)('%s', (engine) => {
  test('a reaper whose code is not rewritten reaches the same outcomes', async () => {
    const engines = await buildEngines(engine, { deaths: true });
    const reaper: Scenario['reaper'] = (pool, dead) => plain.reapToy(pool.memory, pool.geometry, dead);
    const plainly = explore({ ...one, reaper }, engines);
    const rewritten = explore(one, engines);
    expect(plainly.failure).toBeUndefined();
    expect(plainly.schedules).toBe(rewritten.schedules);
    expect(Object.fromEntries(plainly.outcomes)).toEqual(Object.fromEntries(rewritten.outcomes));
    // It is taken to have read everything, so fewer of its states are the same.
    expect(plainly.states).toBeGreaterThan(rewritten.states);
  });

  test('with deaths and a reaper, states seen before lead to nothing new', async () => {
    const engines = await buildEngines(engine, { deaths: true });
    const short = explore({ ...two, bound: 0, kills: 1 }, engines);
    const long = explore({ ...two, bound: 0, kills: 1 }, engines, { everySchedule: true });
    expect(long.failure).toBeUndefined();
    expect(short.schedules).toBe(long.schedules);
    expect(Object.fromEntries(short.outcomes)).toEqual(Object.fromEntries(long.outcomes));
  });

  test('without a reaper nothing is checked, and a dead thread keeps what it had', async () => {
    const { reaper: _, ...scenario } = one;
    const outcome: Scenario['outcome'] = ({ dead, places }) => `${dead.length} dead, ${places.length} places`;
    const outcomes = { '0 dead, 16 places': 'nobody died', '1 dead, 0 places': 'somebody did' };
    const { failure } = explore({ ...scenario, outcome, outcomes }, await buildEngines(engine, { deaths: true }));
    expect(failure).toBeUndefined();
  });

  test('a reaper that leaves a reference is found', async () => {
    const faulty = await withFault(one, 'page <= geometry.pageCount', 'page < 2');
    const { failure } = explore(faulty, await buildEngines(engine, { deaths: true }));
    expect(failure?.message).toBe('outcome not in the table: reaped: cache 0, held by port 0');
  });

  test('a reaper that does something once too often is found when it dies and another one follows', async () => {
    const find = 'const seen = Atomics.load(i32, claim);';
    const faulty = `${find}\n  i32[(port + 152) >>> 2] = (i32[(port + 152) >>> 2] as number) + (seen & 2);`;
    const engines = await buildEngines(engine, { deaths: true });
    expect(explore(await withFault(one, find, faulty), engines).failure).toBeUndefined();
    const scenario = await withFault(two, find, faulty);
    const { failure } = explore(scenario, engines);
    expect(failure?.message).toMatch(/^in-flight is \d+ \(expected \d+\)/);
    expect(trace(scenario, engines, failure!.schedule).at(-1)).toContain(failure!.message);
  });

  test('a reaper without a yield before an atomic is an error', async () => {
    const faulty = await withFault(one, 'yield;\n  const seen', 'const seen');
    const { failure } = explore(faulty, await buildEngines(engine, { deaths: true }));
    expect(failure?.message).toContain('an atomic access without a yield before it');
  });

  test('a reaper that acts for a port whose thread is alive is an error', async () => {
    const faulty = await withFault(one, 'yield { call:', 'yield { port: 1, call:');
    const { failure } = explore(faulty, await buildEngines(engine, { deaths: true }));
    expect(failure?.message).toContain('a reaper acts for port=1 (expected a dead one, or one without a program)');
  });
});

test("a page in a dead port's magazine and in its row is found by deaths before plain writes alone", async () => {
  const find = 'for (let i = 0; i < count; i++)';
  const faulty = await withFault(one, find, 'for (let i = count; i < count; i++)');
  expect(explore(faulty, await buildEngines('wasm')).failure).toBeUndefined();
  const { failure } = explore(faulty, await buildEngines('typescript', { deaths: true }));
  expect(failure?.message).toContain('in two places');
});

test.each(ENGINES)('%s: with the shipped recovery as well, states seen before lead to nothing new', async (engine) => {
  const engines = await buildEngines(engine, { deaths: true });
  const scenario = reaped(scenarioNamed('unpin against last release'), 1, 1);
  const short = explore(scenario, engines);
  const long = explore(scenario, engines, { everySchedule: true });
  expect(long.failure).toBeUndefined();
  expect(short.runs).toBeLessThan(long.runs);
  expect(short.schedules).toBe(long.schedules);
  expect(Object.fromEntries(short.outcomes)).toEqual(Object.fromEntries(long.outcomes));
});
