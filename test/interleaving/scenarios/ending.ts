// Destroying: whatever others do meanwhile, a pool is destroyed when everything is home and not before, and it always
// comes to that.

import type { End, Scenario } from '../explorer.js';
import {
  attach,
  beginEnding,
  beginEndingAndDie,
  createAndLeave,
  destroyIfHome,
  endInPlace,
  leave,
  leaveStraight,
  requireEnd,
  takeOver,
} from '../pool-code.js';
import type { Program } from '../thread.js';
import { allocPages, codeName, releaseAll, requireOk } from './common.js';

/** What the closer does: two looks, the second one as its timer would bring it. */
const closer: Program = [beginEnding, ['scrub'], destroyIfHome, ['scrub'], destroyIfHome];

/** Which of the closer's looks destroyed the pool. */
function ended({ results }: End, closer: number): string {
  const [, , first, , second] = results[closer]!;
  return first === 1 ? 'at the first look' : second === 1 ? 'at the second look' : 'later';
}

export const endingScenarios: readonly Scenario[] = [
  {
    name: 'destroy against last release',
    threads: 2,
    options: { pageCount: 2 },
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      pool.port(0).retain(a!, 1);
      pool.give(0, 1, a!);
      releaseAll(pool, 0, [a!]);
      return [closer, [['release', a!], ['poll']]];
    },
    outcome: (end) => {
      requireOk(end.results[1]!, [0]);
      return ended(end, 0);
    },
    finish: (pool) => requireEnd(pool, 0),
    outcomes: {
      'at the first look': 'the page was home and port 1 parked',
      'at the second look': 'the first look came too early',
      later: 'both did: a later one destroys it',
    },
  },
  {
    name: 'destroy and its own last release against last release',
    threads: 2,
    options: { pageCount: 2 },
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      pool.port(0).retain(a!, 1);
      pool.give(0, 1, a!);
      return [
        [beginEnding, ['release', a!], ['scrub'], destroyIfHome, ['poll'], ['scrub'], destroyIfHome],
        [['release', a!], ['poll']],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[0]!, [1]);
      requireOk(end.results[1]!, [0]);
      const looks = [3, 6].map((call) => end.results[0]![call]);
      return looks[0] === 1 ? 'at the first look' : looks[1] === 1 ? 'at the second look' : 'later';
    },
    finish: (pool) => requireEnd(pool, 0),
    outcomes: {
      'at the first look': 'the page was home and port 1 parked',
      'at the second look': 'the first look came too early',
      later: 'both did: a later one destroys it',
    },
  },
  {
    name: 'attach, alloc, parking and release against destroy',
    threads: 2,
    options: { pageCount: 2 },
    setup(pool) {
      // Its port has the first number, so that it is the one that is found.
      leaveStraight(pool, 0);
      return [
        [
          attach,
          { ifPositive: 0, call: ['alloc'] },
          // A thread that waits parks with what it holds.
          { ifPositive: 0, call: ['poll'] },
          { ifPositive: 1, call: ['release', { resultOf: 1 }] },
          { ifPositive: 0, call: ['poll'] },
        ],
        closer,
      ];
    },
    outcome: (end) => {
      const [isIn, page, , released] = end.results[0]!;
      if (isIn === 0) return `refused, destroyed ${ended(end, 1)}`;
      return `attached, ${page === 0 ? 'no page' : `a page, release ${codeName(released!)}`}, destroyed ${ended(end, 1)}`;
    },
    finish: (pool) => requireEnd(pool, 1),
    outcomes: {
      'refused, destroyed at the first look':
        'the thread saw the pool closing, and its port was free again by the first look, or not claimed yet',
      'refused, destroyed at the second look': 'its port was still claimed at the first look',
      'refused, destroyed later': 'its port was still claimed at both',
      'attached, a page, release ok, destroyed at the first look': 'all done before',
      'attached, a page, release ok, destroyed at the second look': 'all done between the looks',
      'attached, a page, release ok, destroyed later': 'not parked at the second look',
      'attached, no page, destroyed at the first look': 'attached before the pool closed, and asked for a page after',
      'attached, no page, destroyed at the second look': 'likewise, and parked between the looks',
      'attached, no page, destroyed later': 'likewise, and not parked at the second look',
    },
  },
  {
    name: 'attach and leave against destroy',
    threads: 2,
    options: { pageCount: 1 },
    setup(pool) {
      leaveStraight(pool, 0);
      return [[attach, { ifPositive: 0, call: ['park'] }, leave], closer];
    },
    outcome: (end) => `${end.results[0]![0] === 0 ? 'refused' : 'attached'}, destroyed ${ended(end, 1)}`,
    finish: (pool) => requireEnd(pool, 1),
    outcomes: {
      'attached, destroyed at the first look': 'attached before the pool closed, and parked at once',
      'refused, destroyed at the first look': 'its port was free again by the first look, or not claimed yet',
      'refused, destroyed at the second look': 'its port was still claimed at the first look',
      'refused, destroyed later': 'its port was still claimed at both',
    },
  },
  {
    name: 'two ports ask to end the pool whose creator is gone',
    threads: 3,
    options: { pageCount: 1 },
    setup(pool) {
      createAndLeave(pool, 0);
      return [[], [endInPlace, ['scrub'], destroyIfHome], [endInPlace, ['poll']]];
    },
    outcome: (end) => {
      const by = [1, 2].filter((id) => end.results[id]![0] === 1);
      return `ended by ${by.join(' and ')}`;
    },
    finish: (pool) => requireEnd(pool, 1),
    outcomes: {
      'ended by 1': 'port 1 was first',
      'ended by 2': 'port 2 was',
    },
  },
  {
    name: 'two ports go on where the closer is gone',
    threads: 3,
    options: { pageCount: 2 },
    setup(pool) {
      const [a] = allocPages(pool, 2, 1);
      beginEndingAndDie(pool, 0);
      const goOn: Program = [takeOver, ['scrub'], destroyIfHome];
      return [[], goOn, [takeOver, ['release', a!], ['scrub'], destroyIfHome]];
    },
    outcome: (end) => {
      requireOk(end.results[2]!, [1]);
      const by = [1, 2].filter((id) => end.results[id]![0] === 1);
      const isDestroyed = end.results[1]![2] === 1 || end.results[2]![3] === 1;
      return `taken over by ${by.join(' and ')}, destroyed ${isDestroyed ? 'by then' : 'later'}`;
    },
    finish: (pool) => requireEnd(pool, 1),
    outcomes: {
      'taken over by 1, destroyed by then': 'port 1 was first',
      'taken over by 2, destroyed by then': 'port 2 was',
    },
  },
];
