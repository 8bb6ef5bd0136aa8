// The owner's words: pages of areas are fed, taken back, called home and given up, while others take, pin and release
// them.

import { CONTROL_BASE, HEADER_STATE_OFFSET, STATE_DESTROYED } from '../../../assembly/layout.js';
import { ownerState } from '../../../src/control/owner.js';
import type { PoolOptions } from '../../../src/pool/options.js';
import type { MemoryProvider } from '../../../src/provider/provider.js';
import type { End, Scenario } from '../explorer.js';
import type { ModelPool } from '../model.js';
import {
  addArea,
  answerAsking,
  answerInVain,
  attachKnowing,
  collect,
  feed,
  feedHome,
  freeStraight,
  keepArea,
  leaveOffice,
  listWaiting,
  own,
  placesAtEnd,
  receiveAreas,
  requireHome,
  requireHomeAtEnd,
  requireListed,
  retireArea,
  serve,
  takeAtEnd,
  takeFedBack,
  takeWaiting,
  trim,
  wantPages,
} from '../owner-code.js';
import type { Program } from '../thread.js';
import { allocPages, pageName, releaseAll, requireOk } from './common.js';

/** Says that pages lie elsewhere; nothing of it is called: the owner's code is (owner-code.ts). */
const elsewhere: MemoryProvider = {
  kind: 'elsewhere',
  readable: true,
  detachable: true,
  init: uncalled,
  grow: uncalled,
  retire: uncalled,
  describe: uncalled,
  destroy: uncalled,
};

function uncalled(): never {
  throw new Error('a callback of the provider (expected none: only the words are explored)');
}

/** A pool whose pages are all of a provider's areas. */
function areasOf(pageCount: number): PoolOptions {
  return { provider: elsewhere, pageCount };
}

/** A pool of its own pages, with a reserve behind them. */
function reserveOf(pageCount: number, reserve: number): PoolOptions {
  return { pageCount, reserve: { provider: elsewhere, pageCount: reserve } };
}

/** Port 1 takes that many pages which were fed. */
function take(pool: ModelPool, count: number): number[] {
  return allocPages(pool, 1, count);
}

/** `home 1 2`: the pages that the owner found at home by these calls; `nothing home`. */
function home({ results }: End, calls: readonly number[]): string {
  const bits = calls.reduce((sum, call) => sum | (results[0]![call] ?? 0), 0);
  const pages = Array.from({ length: 31 }, (_, page) => page).filter((page) => ((bits >>> page) & 1) === 1);
  return pages.length === 0 ? 'nothing home' : `home ${pages.join(' ')}`;
}

/** Where everything was when the threads were done and the owner had looked once more. */
function places({ pool }: End): string {
  return placesAtEnd(pool).join(', ');
}

/** What those calls of port 1 took, what the owner found at home, and the places. */
function told(end: End, allocs: readonly number[], calls: readonly number[]): string {
  const taken = allocs.map((call) => pageName(end, end.results[1]![call]!)).join(' and ');
  return [...(taken === '' ? [] : [taken]), `${home(end, calls)}: ${places(end)}`].join(', ');
}

/** What ports 1 and 2 took by their first calls. */
function takenByBoth(end: End): string {
  return [1, 2].map((id) => pageName(end, end.results[id]![0]!)).join(' and ');
}

/** With every preemption it takes more time than each run of the tests has. */
export const wandering: Scenario = {
  name: 'recall against pages that wander through caches and the ring',
  threads: 3,
  options: areasOf(2),
  setup(pool) {
    own(pool, [[1, 2]], [1, 2]);
    releaseAll(pool, 1, take(pool, 2));
    return [[retireArea(), collect], [['park']], [['alloc'], { ifPositive: 0, call: ['release', { resultOf: 0 }] }]];
  },
  outcome: (end) => {
    const out = placesAtEnd(end.pool).filter((place) => place !== 'returned');
    const left = out.map((place) => place.split(' ')[0]).sort();
    return `${end.results[2]![0] === 0 ? 'no page' : 'a page'} used, ${left.join(' and ') || 'all home'}`;
  },
  finish: requireHome,
  outcomes: {
    'a page used, all home': 'one left when it was used, the other was waived or retired',
    'a page used, ring': 'the other waits in the ring, pinned, for whoever finds it there',
    'a page used, cache and ring': 'both, since the first was used before it was pinned',
    'no page used, all home': 'port 2 looked while they were on their way, or waived what it found',
    'no page used, ring': 'it waived one and found no other',
    'no page used, ring and ring': 'it looked before they were there',
  },
};

export const ownerScenarios: readonly Scenario[] = [
  {
    name: 'withdraw against claim',
    threads: 2,
    options: areasOf(2),
    setup(pool) {
      own(pool, [[1, 2]], [1, 2]);
      return [[retireArea(), collect], [['alloc']]];
    },
    outcome: (end) => told(end, [0], [1]),
    finish: requireHome,
    outcomes: {
      'none, home 1 2: returned, returned': 'the owner took both back first',
      'page 1, home 2: held by port 1, returned': 'the port took page 1 first, which is called home then',
      'page 2, home 1: returned, held by port 1': 'page 1 was taken back, page 2 not yet',
    },
  },
  {
    name: 'withdraw against two claims of one page',
    threads: 3,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [1]);
      return [[trim], [['alloc']], [['alloc']]];
    },
    outcome: (end) => `${takenByBoth(end)}: ${places(end)}`,
    finish: requireHome,
    outcomes: {
      'none and none: returned': 'the owner took it back first',
      'page 1 and none: held by port 1': 'port 1 took it',
      'none and page 1: held by port 2': 'port 2 did',
    },
  },
  {
    name: 'a page withdrawn and fed again against two looks',
    threads: 2,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [1]);
      const program: Program = [['alloc'], ['alloc']];
      return [[trim, feedHome], program];
    },
    outcome: (end) => told(end, [0, 1], [0]),
    finish: requireHome,
    outcomes: {
      'page 1 and none, nothing home: held by port 1': 'taken before the owner came',
      'page 1 and none, home 1: held by port 1': 'the first look came when it was fed again',
      'none and page 1, home 1: held by port 1': 'the second did',
      'none and none, home 1: fed': 'both looked while it was with its provider',
    },
  },
  {
    name: 'publish against two looks for listed pages',
    threads: 3,
    options: areasOf(2),
    setup(pool) {
      own(pool, [[1, 2]], []);
      // The hint stands behind all pages.
      pool.port(1).alloc();
      return [[feed(1, 2)], [['alloc']], [['alloc']]];
    },
    outcome: (end) => `${takenByBoth(end)}: ${places(end)}`,
    finish: requireHome,
    outcomes: {
      'page 1 and page 2: held by port 1, held by port 2': 'both looked when the hint was down; port 1 was first',
      'page 2 and page 1: held by port 2, held by port 1': 'port 2 was',
      'page 1 and none: held by port 1, fed': 'port 2 looked before',
      'none and page 1: held by port 2, fed': 'port 1 did',
      'none and none: fed, fed': 'both did, and the pages are found by the next look',
    },
  },
  {
    name: 'publish over two words of bits against a look for listed pages',
    threads: 2,
    options: areasOf(32),
    setup(pool) {
      own(pool, [[31, 2]], []);
      pool.port(1).alloc();
      return [[feed(32, 31)], [['allocBurst', pool.scratch(1), 2]]];
    },
    outcome: (end) => placesAtEnd(end.pool).slice(30).join(', '),
    finish: requireHome,
    outcomes: {
      'held by port 1, held by port 1': 'the hint goes down when both words have their bits',
      'fed, fed': 'looked before',
    },
  },
  {
    name: 'pages that were never listed, taken back, against a bit that was left',
    threads: 2,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [1]);
      takeFedBack(pool);
      return [[takeWaiting(0), collect, feedHome], [['alloc']]];
    },
    outcome: (end) => told(end, [0], [1]),
    finish: requireHome,
    outcomes: {
      'none, home 1: fed': 'looked at a page that was with its provider',
      'page 1, home 1: held by port 1': 'looked when it was fed again',
    },
  },
  {
    name: 'recall against last release',
    threads: 2,
    options: areasOf(2),
    setup(pool) {
      own(
        pool,
        [
          [1, 1],
          [2, 1],
        ],
        [1, 2],
      );
      const [a] = take(pool, 1);
      const program: Program = [['release', a!], ['alloc']];
      return [[retireArea(), collect, collect], program];
    },
    outcome: (end) => told(end, [1], [1, 2]),
    finish: requireHome,
    outcomes: {
      'page 2, home 1: returned, held by port 1': "left with the owner's pin alone, which came off",
      'page 2, nothing home: returned, held by port 1': 'the same, and the owner had looked before',
      'page 1, nothing home: held by port 1, fed':
        'released before the pin, and used again out of the cache: it leaves with its next release',
    },
  },
  {
    name: 'recall against the leaving of a pinned page',
    threads: 3,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [1]);
      const [a] = take(pool, 1);
      const page = pool.port(1).pin(a!);
      return [[retireArea(), collect], [['release', a!]], [['unpin', page]]];
    },
    outcome: (end) => told(end, [], [1]),
    finish: requireHome,
    outcomes: {
      'home 1: returned': 'left, and was unpinned by everybody who had pinned it',
      'nothing home: returned': 'the same, and the owner had looked before',
      'nothing home: cache 1':
        'unpinned before the release and released before the pin: it leaves when it is used next',
    },
  },
  {
    name: 'recall against pin',
    threads: 2,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [1]);
      const [a] = take(pool, 1);
      const program: Program = [
        ['pin', a!],
        ['release', a!],
        ['unpin', 1],
      ];
      return [[retireArea(), collect], program];
    },
    outcome: (end) => {
      requireOk(end.results[1]!, [1, 2]);
      return told(end, [], [1]);
    },
    finish: requireHome,
    outcomes: {
      'home 1: returned': 'it left with one pin or two, and was home when the owner looked',
      'nothing home: returned': 'it came home later',
    },
  },
  {
    name: 'recall undone and begun again against last release',
    threads: 2,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [1]);
      const [a] = take(pool, 1);
      const program: Program = [['release', a!], ['alloc']];
      return [[retireArea(), keepArea(), retireArea(), collect], program];
    },
    outcome: (end) => told(end, [1], [3]),
    finish: requireHome,
    outcomes: {
      'none, home 1: returned': 'left with the first pin or the second, or retired as the first came off',
      'none, nothing home: returned': 'left after the owner had looked',
      'page 1, nothing home: held by port 1': 'released while there was no pin, and used again',
    },
  },
  { ...wandering, bound: 2 },
  {
    name: 'recall against trim',
    threads: 2,
    options: areasOf(2),
    setup(pool) {
      own(pool, [[1, 2]], [1, 2]);
      const [a, b] = take(pool, 2);
      releaseAll(pool, 1, [a!]);
      const program: Program = [['trim'], ['release', b!]];
      return [[retireArea(), collect], program];
    },
    outcome: (end) => {
      requireOk(end.results[1]!, [1]);
      return told(end, [], [1]);
    },
    finish: requireHome,
    outcomes: {
      'home 1 2: returned, returned': 'page 1 was trimmed, page 2 left with the pin',
      'home 1: returned, returned': 'page 2 left when the owner had looked',
      'home 1: returned, cache 1': 'page 2 was released before the pin: it leaves when it is used next',
      'nothing home: returned, returned': 'the owner had looked before all of it',
    },
  },
  {
    name: 'area retired against late releases of a page that two ports hold',
    threads: 3,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [1]);
      const [a] = take(pool, 1);
      pool.port(1).retain(a!, 1);
      pool.give(1, 2, a!);
      return [[retireArea(), collect], [['release', a!]], [['release', a!]]];
    },
    outcome: (end) => {
      requireOk(end.results[1]!);
      requireOk(end.results[2]!);
      return told(end, [], [1]);
    },
    finish: requireHome,
    outcomes: {
      'home 1: returned': 'the last of both releases saw the pin, and the owner the page: its area is gone',
      'nothing home: returned': 'the same, and the owner had looked before',
      'nothing home: cache 1': 'port 1 released it last, before the pin',
      'nothing home: cache 2': 'port 2 did',
    },
  },
  {
    name: 'a reserve retired against a late release of its page',
    threads: 2,
    options: reserveOf(1, 1),
    setup(pool) {
      own(pool, [[2, 1]], [2]);
      const [, b] = take(pool, 2);
      const program: Program = [['release', b!], ['alloc']];
      return [[retireArea(), collect, collect], program];
    },
    outcome: (end) => told(end, [1], [1, 2]),
    finish: requireHome,
    outcomes: {
      'none, home 2: held by port 1, returned': 'it came home by the release, pinned or not',
      'none, nothing home: held by port 1, returned': 'the owner had looked before',
    },
  },
  {
    name: "a reserve's page that comes home and is fed again against a look for it",
    threads: 2,
    options: reserveOf(1, 1),
    setup(pool) {
      own(pool, [[2, 1]], [2]);
      const [, b] = take(pool, 2);
      return [
        [collect, serve],
        [['release', b!], wantPages(1), ['alloc']],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[1]!, [0]);
      return `${end.results[0]![1]} wanted, ${pageName(end, end.results[1]![2]!)}: ${places(end)}`;
    },
    finish: requireHome,
    outcomes: {
      '0 wanted, none: held by port 1, returned': 'the owner looked for wants before: it is called again',
      '1 wanted, none: held by port 1, fed': 'fed, and the port looked before: its next look finds the page',
      '1 wanted, page 2: held by port 1, held by port 1': 'what came home before it was wanted is fed',
    },
  },
  {
    name: "want against the owner's leaving",
    threads: 2,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], []);
      return [
        [serve, leaveOffice],
        [wantPages(1), ['alloc']],
      ];
    },
    outcome: (end) => {
      if (ownerState(end.pool) !== 'gone') throw new Error('the owner left, and is there');
      const wanted = end.results[0]![0]! > 0 ? 'served' : 'not served';
      return `${wanted}, ${pageName(end, end.results[1]![1]!)}: ${places(end)}`;
    },
    finish: requireHome,
    outcomes: {
      'served, page 1: held by port 1': 'the want was taken before the owner left',
      'served, none: fed': 'the same, and the port looked before: its next look finds the page',
      'not served, none: returned': 'the want came too late, and the owner is known to be gone',
    },
  },
  {
    name: 'area retired, and the owner leaves, against last release',
    threads: 2,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [1]);
      const [a] = take(pool, 1);
      const program: Program = [['release', a!], ['alloc']];
      return [[retireArea(), collect, leaveOffice], program];
    },
    outcome: (end) => told(end, [1], [1]),
    finish: requireHome,
    outcomes: {
      'none, home 1: returned': 'it left with the pin, and came home before the owner left',
      'none, nothing home: retired': 'it left with the pin, which came off as the owner left: home, for nobody to take',
      'page 1, nothing home: held by port 1':
        'released where there was no pin, before it or after it: it circulates on',
    },
  },
  {
    name: 'a new area against a thread that attaches with an old table',
    threads: 2,
    options: areasOf(1),
    setup(pool) {
      own(pool, [[1, 1]], [], 1);
      // The port that attaches has the first number, so that it is the one that is found.
      freeStraight(pool, 0);
      return [
        [attachKnowing(0), { ifPositive: 0, call: ['alloc'] }, receiveAreas(1), { ifPositive: 2, call: ['alloc'] }],
        [addArea(0, 1), answerInVain, answerAsking(1), listWaiting(0, 1)],
      ];
    },
    outcome: (end) => {
      const [isIn, early, , handle] = end.results[0]!;
      const [listed, , , later] = end.results[1]!;
      if ((early ?? 0) > 0) throw new Error('a page of an area that the thread does not know');
      const when = listed! > 0 ? 'at once' : later! > 0 ? 'later' : 'not yet';
      return `${isIn! > 0 ? 'knows all' : 'asks'}, listed ${when}, got ${pageName(end, handle!)}`;
    },
    finish: (pool) => requireListed(pool, 0, 1),
    outcomes: {
      'knows all, listed at once, got none':
        'attached before; learned of the area before the owner looked at it, and asked for a page before it was listed',
      'knows all, listed at once, got page 1': 'the same, and asked after',
      'knows all, listed later, got none': 'attached before, and learned of the area between the two looks',
      'knows all, listed later, got page 1': 'the same, and asked when it was listed',
      'knows all, listed not yet, got none': 'attached before, and had not learned of it by the second look',
      'asks, listed at once, got none': 'claimed its port when the owner had looked at that; the answer came too late',
      'asks, listed at once, got page 1': 'the same, or had asked, and learned of the area before it asked for a page',
      'asks, listed later, got none':
        'claimed its port when there was a new area already, and said so little that the owner waited',
      'asks, listed later, got page 1': 'the same, and asked for a page when it was listed',
      'asks, listed not yet, got none': 'the same, and had not said by the second look that it asks',
    },
  },
  {
    name: 'the last unpin after the end of the pool',
    threads: 2,
    options: areasOf(2),
    setup(pool) {
      own(pool, [[1, 2]], [1, 2]);
      const [a] = take(pool, 1);
      const page = pool.port(1).pin(a!);
      releaseAll(pool, 1, [a!]);
      for (const id of [0, 1]) pool.port(id).park();
      pool.write(CONTROL_BASE + HEADER_STATE_OFFSET, STATE_DESTROYED);
      return [[takeAtEnd, takeAtEnd], [['unpin', page]]];
    },
    outcome: (end) => `${home(end, [0])}, then ${home(end, [1])}`,
    finish: requireHomeAtEnd,
    outcomes: {
      'home 1 2, then nothing home': 'unpinned before the first look',
      'home 2, then home 1': 'unpinned between the looks',
      'home 2, then nothing home': 'unpinned later: a later look finds it',
    },
  },
];
