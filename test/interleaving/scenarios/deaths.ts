// Threads that die, and whoever reaps their ports.

import type { Scenario } from '../explorer.js';
import { loadSuspendable } from '../suspend/bundle.js';
import type * as Toy from '../toy-reaper.js';
import { allocPages, releaseAll, requireOk } from './common.js';

const { reapToy } = await loadSuspendable<typeof Toy>('test/interleaving/toy-reaper.ts');

/** Port 0 dies while it hands out a page of its cache or takes it back, and holds another one together with port 1. */
const toy: Scenario = {
  name: 'a port dies in alloc or release, and a toy reaps it, against a last release',
  threads: 2,
  options: { pageCount: 16 },
  victims: [0],
  reaper: (pool, dead) => reapToy(pool.memory, pool.geometry, dead),
  setup(pool) {
    const [shared, a] = allocPages(pool, 0, 2);
    releaseAll(pool, 0, [a!]);
    pool.port(0).retain(shared!, 1);
    pool.give(0, 1, shared!);
    return [[['alloc'], ['release', { resultOf: 0 }]], [['release', shared!]]];
  },
  outcome: ({ dead, places }) => `${dead.length === 0 ? 'alive' : 'reaped'}: ${places.slice(0, 2).join(', ')}`,
  outcomes: {
    'alive: cache 0, held by port 0': 'nobody died',
    'reaped: cache 0, cache 0': "the reaper released the shared page last, into the dead port's cache",
    'reaped: cache 0, cache 1': 'port 1 released it last',
  },
};

/** Both ports use a page of their caches; either dies, or both do, or one and its reaper. */
const both: Scenario = {
  name: 'two ports die, and toys reap them',
  threads: 2,
  kills: 2,
  options: { pageCount: 16 },
  reaper: toy.reaper!,
  setup(pool) {
    for (const id of [0, 1]) releaseAll(pool, id, allocPages(pool, id, 1));
    return [[['alloc']], [['alloc'], ['release', { resultOf: 0 }]]];
  },
  outcome: ({ dead, results, places }) => {
    if (!dead.includes(1)) requireOk(results[1]!, [1]);
    return `${dead.length === 0 ? 'nobody' : dead.join(' and ')} died: ${[1, 3].map((page) => places[page]).join(', ')}`;
  },
  outcomes: {
    'nobody died: held by port 0, cache 1': 'both did what they were to do',
    '0 died: cache 0, cache 1': 'the page of port 0 is in its cache again, whether it had been handed out or not',
    '1 died: held by port 0, cache 1': 'likewise for port 1',
    '0 and 1 died: cache 0, cache 1': 'likewise for both',
  },
};

export const deathScenarios: readonly Scenario[] = [
  { ...toy, kills: 1 },
  {
    ...toy,
    name: `${toy.name}; and the reaper dies`,
    kills: 2,
    outcomes: {
      ...toy.outcomes,
      'reaped: cache 0, suspect':
        'the first reaper died between row and count: one reference too many, and nobody has it',
    },
  },
  both,
];
