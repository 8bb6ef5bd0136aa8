// The explorer itself: it tries what it says it tries, with threads of either engine.

import { describe, expect, test } from 'vitest';
import {
  DESCRIPTOR_SHIFT,
  NODE_COUNT_OFFSET,
  PORT_BYTES,
  PORT_EXCHANGES_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  RECORD_EXCHANGE,
  RECORD_INDEX_MASK,
  RECORD_INDEX_SHIFT,
  RECORD_KIND_MASK,
  RECORD_NONE,
  WORD_HOLDERS_MASK,
} from '../../assembly/layout.js';
import { buildEngines, ENGINES } from './engines.js';
import { type End, explore, type Scenario, trace } from './explorer.js';
import { ModelPool } from './model.js';
import type { Steps } from './procedure.js';
import { scenarioNamed } from './scenarios/all.js';
import type { Run } from './thread.js';

const names = [
  'last release against last release',
  'last releases of two fragments of a page',
  'bias drain by parking against release',
  'send against receive, capacity 1, full, wrap',
];

/** Two holders; port 0 releases, and is killed somewhere. */
const killed: Scenario = {
  name: 'a shared release is killed',
  threads: 2,
  kills: 1,
  setup(pool) {
    const handle = pool.port(0).alloc();
    pool.port(0).retain(handle, 1);
    pool.give(0, 1, handle);
    return [[['release', handle]], []];
  },
  outcome: ({ pool, results }: End) => {
    const { descriptorsOffset, ledgersOffset, fragmentWordsOffset, unitsPerPageShift } = pool.geometry;
    const holders = pool.read(fragmentWordsOffset + (4 << unitsPerPageShift)) & WORD_HOLDERS_MASK;
    const count = pool.read(descriptorsOffset + (1 << DESCRIPTOR_SHIFT));
    const row = pool.memory.u16[(ledgersOffset + 2) >>> 1];
    return `${results[0]!.length === 1 ? 'released' : 'killed'}: holders ${holders}, row ${row}, count ${count}`;
  },
  outcomes: {
    'killed: holders 2, row 1, count 2': 'before anything',
    'killed: holders 1, row 1, count 2': 'between word and row',
    'killed: holders 1, row 0, count 2': 'between row and count: one reference too many, for a reaper to mark',
    'released: holders 1, row 0, count 1': 'not killed',
  },
};

test('states have different numbers that differ in one word, in its place, or in what was used up', async () => {
  const pool = new ModelPool(await buildEngines('typescript'), 2, {});
  pool.save();
  const { descriptorsOffset, pageCount } = pool.geometry;
  const numbers = new Set<number>();
  let states = 0;
  for (let salt = 0; salt < 4096; salt += 64) {
    for (let word = 0; word < 4 * pageCount; word++) {
      const address = descriptorsOffset + 4 * word;
      const before = pool.read(address);
      for (const bit of [1, 2, 0x10000, 0x80000000]) {
        pool.write(address, before ^ bit);
        numbers.add(pool.hash(salt));
        states += 1;
      }
      pool.write(address, before);
    }
  }
  expect(numbers.size).toBe(states);
});

describe.each(ENGINES)('%s', (engine) => {
  test.each(names)('%s: states seen before lead to nothing new', async (name) => {
    const engines = await buildEngines(engine);
    const short = explore(scenarioNamed(name), engines);
    const long = explore(scenarioNamed(name), engines, { everySchedule: true });
    expect(long.failure).toBeUndefined();
    expect(long.runs).toBe(long.schedules);
    expect(short.runs).toBeLessThan(long.runs);
    expect(short.schedules).toBe(long.schedules);
    expect(Object.fromEntries(short.outcomes)).toEqual(Object.fromEntries(long.outcomes));
  });

  test('with a bound both ways agree as well, and a larger bound reaches more', async () => {
    const engines = await buildEngines(engine);
    const scenario = scenarioNamed('last release against last release against last release');
    const counts = [0, 1, 2].map((bound) => {
      const short = explore({ ...scenario, bound }, engines);
      const long = explore({ ...scenario, bound }, engines, { everySchedule: true });
      expect(short.schedules).toBe(long.schedules);
      return short.schedules;
    });
    // Three threads one after the other: 3! orders.
    expect(counts[0]).toBe(6);
    expect(counts[1]!).toBeGreaterThan(counts[0]!);
    expect(counts[2]!).toBeGreaterThan(counts[1]!);
  });

  test('an outcome that is not in the table fails with a schedule that shows it again', async () => {
    const engines = await buildEngines(engine);
    const scenario = {
      ...scenarioNamed('unpin against last release'),
      outcomes: { 'cache 0': 'the other one is missing' },
    };
    const { failure } = explore(scenario, engines);
    expect(failure?.message).toBe('outcome not in the table: retired');
    expect(trace(scenario, engines, failure!.schedule).at(-1)).toContain('outcome not in the table: retired');
  });

  test('a scenario that is too large is an error, not a pass', async () => {
    const exploration = explore(scenarioNamed('token adopted twice'), await buildEngines(engine), { maxRuns: 1 });
    expect(exploration.failure?.message).toContain('more than 1 runs');
  });
});

function* pauseSteps(): Steps<number> {
  yield;
  return 0;
}

test('what code around the engine keeps from run to run is part of the state', async () => {
  const run = (name: string, steps: (pool: ModelPool) => Steps<number>): Run => ({
    name,
    isContinued: true,
    run: (pool) => steps(pool),
  });
  const remember = run('remember', function* (pool) {
    yield;
    pool.instances[0]!.kept = pool.read(pool.scratch(0));
    return 0;
  });
  // It does not go on with what was kept, and has forgotten the word when it is over.
  const pause = { ...run('pause', pauseSteps), isContinued: false };
  const tell = run('tell', function* ({ instances }) {
    yield;
    return instances[0]!.kept as number;
  });
  // Afterwards every word is as it was.
  const toggle = run('toggle', function* (pool) {
    yield;
    pool.write(pool.scratch(0), 1);
    yield;
    pool.write(pool.scratch(0), 0);
    return 0;
  });
  const scenario: Scenario = {
    name: 'a thread remembers what another one has undone since',
    threads: 2,
    setup: () => [[remember, pause, tell], [toggle]],
    outcome: ({ results }) => `saw ${results[0]![2]}`,
    outcomes: { 'saw 0': 'before or after', 'saw 1': 'meanwhile' },
  };
  const engines = await buildEngines('wasm');
  const short = explore(scenario, engines);
  const long = explore(scenario, engines, { everySchedule: true });
  expect(long.failure).toBeUndefined();
  expect(Object.fromEntries(long.outcomes)).toEqual({ 'saw 0': 7, 'saw 1': 3 });
  expect(Object.fromEntries(short.outcomes)).toEqual(Object.fromEntries(long.outcomes));
});

test.each([
  'spill against refill',
  'a sender that receives against a sender, capacity 2',
  'two senders against a receiver, capacity 1',
  'retain and two releases against last release',
  'fresh claims of whole magazines',
  'merge of half-empty magazines against a merge',
])('%s: what calls and turns of loops read may be forgotten after them', async (name) => {
  const scenario = scenarioNamed(name);
  const forgetful = explore(scenario, await buildEngines('typescript'));
  const other = explore(scenario, await buildEngines('typescript', { remembersAll: true }));
  expect(other.failure).toBeUndefined();
  expect(forgetful.states).toBeLessThan(other.states);
  expect(forgetful.schedules).toBe(other.schedules);
  expect(Object.fromEntries(forgetful.outcomes)).toEqual(Object.fromEntries(other.outcomes));
});

test.each(ENGINES)('%s: a thread that is killed stays where it was', async (engine) => {
  const exploration = explore(killed, await buildEngines(engine));
  expect(exploration.failure).toBeUndefined();
  expect([...exploration.outcomes.keys()].sort()).toEqual(Object.keys(killed.outcomes).sort());
});

test('no other thread comes between the plain writes of a step, whoever can still be killed', async () => {
  const scenario = scenarioNamed('last release against last release');
  const alive = explore(scenario, await buildEngines('typescript'));
  const { outcomes, failure } = explore(
    {
      ...scenario,
      kills: 1,
      outcome: ({ dead }) => (dead.length === 0 ? 'alive' : 'dead'),
      outcomes: { alive: 'nobody died', dead: 'somebody did' },
    },
    await buildEngines('typescript', { deaths: true }),
  );
  expect(failure).toBeUndefined();
  expect(outcomes.get('alive')).toBe(alive.schedules);
});

test.each(ENGINES)('%s: what a dead thread was about to do is part of the state', async (engine) => {
  const scenario: Scenario = {
    ...scenarioNamed('spill against refill'),
    bound: 1,
    kills: 1,
    outcome: ({ pool, dead }) => {
      const port = pool.geometry.portsOffset + (dead[0] ?? 0) * PORT_BYTES;
      const first = pool.read(port + PORT_RECORD_KIND_OFFSET);
      // Of an exchange, what is in its own record.
      const turn = (first & RECORD_INDEX_MASK) >>> RECORD_INDEX_SHIFT;
      const isExchange = (first & RECORD_KIND_MASK) === RECORD_EXCHANGE;
      const rest = port + (isExchange ? PORT_EXCHANGES_OFFSET + turn : PORT_RECORD_KIND_OFFSET + 4);
      const words = [first, ...[0, 4, 8].map((offset) => pool.read(rest + offset))];
      return dead.length === 0 || words[0] === RECORD_NONE ? 'no record' : words.join(' ');
    },
    // Whatever a record says.
    outcomes: new Proxy({}, { getOwnPropertyDescriptor: () => ({ configurable: true }) }),
  };
  const engines = await buildEngines(engine, { deaths: true });
  const short = explore(scenario, engines);
  const long = explore(scenario, engines, { everySchedule: true });
  expect(long.failure).toBeUndefined();
  expect(short.outcomes.size).toBeGreaterThan(5);
  expect(Object.fromEntries(short.outcomes)).toEqual(Object.fromEntries(long.outcomes));
});

test('a thread of TypeScript is also killed before its plain writes', async () => {
  const scenario: Scenario = {
    name: 'a last release is killed',
    threads: 1,
    kills: 1,
    setup: (pool) => [[['release', pool.port(0).alloc()]]],
    outcome: ({ pool, results }: End) => {
      const { geometry } = pool;
      const holders = pool.read(geometry.fragmentWordsOffset + (4 << geometry.unitsPerPageShift)) & WORD_HOLDERS_MASK;
      const port = geometry.portsOffset;
      const magazine = geometry.ring.nodesOffset + pool.read(port + PORT_LOADED_OFFSET) * geometry.ring.nodeBytes;
      const row = pool.memory.u16[(geometry.ledgersOffset + 2) >>> 1];
      const pages = pool.read(magazine + NODE_COUNT_OFFSET);
      return `${results[0]!.length === 1 ? 'over' : 'killed'}: holders ${holders}, pages ${pages}, row ${row}`;
    },
    outcomes: {
      'killed: holders 1, pages 0, row 1': 'before anything',
      'killed: holders 0, pages 0, row 1': 'the word is vacated',
      'killed: holders 0, pages 1, row 1': 'the page is in the magazine as well as in the row',
      'killed: holders 0, pages 1, row 0': 'only the event is not counted',
      'over: holders 0, pages 1, row 0': 'not killed',
    },
  };
  const exploration = explore(scenario, await buildEngines('typescript', { deaths: true }));
  expect(exploration.failure).toBeUndefined();
  expect([...exploration.outcomes.keys()].sort()).toEqual(Object.keys(scenario.outcomes).sort());
});
