// A port whose thread is dead from the start, reaped by threads that have ports of their own and may die themselves.

import { CLAIM_ACTIVE, CLAIM_FREE, CLAIM_STATE_MASK } from '../../../assembly/layout.js';
import { claimOf } from '../../../src/control/claims.js';
import type { End, Scenario } from '../explorer.js';
import type { ModelPool } from '../model.js';
import { reaperCode } from '../reaper-code.js';
import { reapStraight } from '../reaping.js';
import type { Run } from '../thread.js';
import { allocPages, releaseAll, requireOk } from './common.js';

const DEAD = new Set([0]);

/** The thread reaps port 0: 1 if it did, 0 if somebody else does or did. */
const reapFirst: Run = {
  name: 'reap 0',
  run: (pool, id) => reaperCode().reapPortIfDead(pool.memory, pool.geometry, 0, { id, known: DEAD }),
  port: 0,
};

/**
 * Port 0 holds a page twice and a page's fragment, has one in its cache and one that port `other` holds as well:
 * returned.
 */
function dieHolding(pool: ModelPool, other: number): number {
  const [shared, own, cached] = allocPages(pool, 0, 3);
  pool.port(0).retain(own!, 1);
  pool.port(0).retain(shared!, 1);
  pool.give(0, other, shared!);
  releaseAll(pool, 0, [cached!]);
  return shared!;
}

function stateOf({ memory, geometry }: ModelPool, id: number): number {
  return claimOf(memory, geometry, id) & CLAIM_STATE_MASK;
}

/** Port 0 can be claimed again. */
function requireFree({ pool }: End): void {
  if (stateOf(pool, 0) !== CLAIM_FREE) throw new Error('port 0 is not free again');
}

/**
 * Port 0 is reaped by port 1's thread, which may die of it; whoever reaps port 1 inherits port 0, unless it was not
 * claimed yet.
 */
const dyingReaper: Scenario = {
  name: 'a reaper that dies and is reaped, against late release',
  threads: 3,
  options: { pageCount: 4 },
  victims: [1],
  reaper: (pool, dead, reaper) => reaperCode().reapPort(pool.memory, pool.geometry, dead, reaper),
  setup(pool) {
    const shared = dieHolding(pool, 2);
    return [[], [reapFirst], [['release', shared]]];
  },
  finish: (pool) => {
    // Somebody else would hear of its death.
    if (stateOf(pool, 0) === CLAIM_ACTIVE) reapStraight(pool, 0, DEAD);
  },
  outcome: (end) => {
    requireOk(end.results[2]!);
    requireFree(end);
    return `${end.dead.length === 0 ? 'alive' : 'reaped'}: ${end.places.slice(0, 3).join(', ')}`;
  },
  outcomes: {
    'alive: cache 2, ring, ring': 'nobody died; port 2 released last',
    'alive: ring, ring, ring': 'nobody died; the reaper released last',
    'reaped: cache 2, ring, ring': 'the reaper died; port 2 released last',
    'reaped: ring, ring, ring': 'the reaper died; one that came after it released last',
    'reaped: cache 2, suspect, ring':
      'the reaper died about the count of page 2: one reference too many, and nobody has it',
    'reaped: ring, suspect, ring': 'likewise, and it had released page 1 last',
    'reaped: suspect, ring, ring': 'the reaper died about the count of page 1',
  },
};

export const recoveryScenarios: readonly Scenario[] = [
  {
    name: 'reap against late release of a retained fragment',
    threads: 3,
    options: { pageCount: 4 },
    setup(pool) {
      const shared = dieHolding(pool, 2);
      return [[], [reapFirst], [['release', shared]]];
    },
    outcome: (end) => {
      requireOk(end.results[2]!);
      requireFree(end);
      return end.places.slice(0, 3).join(', ');
    },
    outcomes: {
      'cache 2, ring, ring': 'port 2 released last',
      'ring, ring, ring': 'the reaper released last, and handed it on',
    },
  },
  {
    name: 'reap against retain and two late releases',
    threads: 3,
    options: { pageCount: 4 },
    setup(pool) {
      const shared = dieHolding(pool, 2);
      return [
        [],
        [reapFirst],
        [
          ['retain', shared, 1],
          ['release', shared],
          ['release', shared],
        ],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[2]!);
      requireFree(end);
      return end.places.slice(0, 3).join(', ');
    },
    outcomes: {
      'cache 2, ring, ring': 'port 2 released last',
      'ring, ring, ring': 'the reaper released last, and handed it on',
    },
  },
  {
    name: 'two reapers',
    threads: 3,
    options: { pageCount: 4 },
    setup(pool) {
      dieHolding(pool, 2);
      return [[], [reapFirst], [reapFirst]];
    },
    outcome: (end) => {
      requireFree(end);
      const by = [1, 2].filter((id) => end.results[id]![0] === 1);
      return `reaped by ${by.join(' and ')}: ${end.places.slice(0, 3).join(', ')}`;
    },
    outcomes: {
      'reaped by 1: held by port 2, ring, ring': 'port 1 claimed it first',
      'reaped by 2: held by port 2, ring, ring': 'port 2 did',
    },
  },
  { ...dyingReaper, kills: 1 },
  {
    ...dyingReaper,
    name: `${dyingReaper.name}; and the reaper of that one dies`,
    kills: 2,
    bound: 1,
    outcomes: {
      ...dyingReaper.outcomes,
      'reaped: suspect, suspect, ring': 'both reapers died about a count',
    },
  },
];
