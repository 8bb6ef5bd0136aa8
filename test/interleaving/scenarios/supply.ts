// Where pages come from when a cache is empty: spares, fresh and retired pages.

import type { Scenario } from '../explorer.js';
import { allocPages, halfEmptyMagazines, pageName, releaseAll, requireOk, retirePages } from './common.js';

export const supplyScenarios: readonly Scenario[] = [
  {
    name: 'spare taken by a starving port against its owner',
    threads: 2,
    options: { pageCount: 2 },
    setup(pool) {
      releaseAll(pool, 0, allocPages(pool, 0, 2));
      return [[['alloc'], ['alloc']], [['alloc']]];
    },
    outcome: (end) => {
      const [first, second] = end.results[0]!;
      return `owner ${pageName(end, first!)} and ${pageName(end, second!)}, other ${pageName(end, end.results[1]![0]!)}`;
    },
    outcomes: {
      'owner page 2 and page 1, other none': 'the owner took its spare first',
      'owner page 2 and none, other page 1': 'the other port took it',
    },
  },
  {
    name: 'spare taken by two starving ports against its owner',
    threads: 3,
    options: { pageCount: 2 },
    setup(pool) {
      releaseAll(pool, 0, allocPages(pool, 0, 2));
      return [[['alloc'], ['alloc']], [['alloc']], [['alloc']]];
    },
    outcome: (end) =>
      end.results
        .flat()
        .map((handle) => pageName(end, handle))
        .join(', '),
    outcomes: {
      'page 2, page 1, none, none': 'the owner took its spare first',
      'page 2, none, page 1, none': 'port 1 took it',
      'page 2, none, none, page 1': 'port 2 took it',
    },
  },
  {
    name: 'spare taken by a starving port against a spill and an answer to pressure',
    threads: 2,
    options: { pageCount: 3 },
    setup(pool) {
      const [a, b, c] = allocPages(pool, 0, 3);
      releaseAll(pool, 0, [a!]);
      return [
        [
          ['release', b!],
          ['release', c!],
        ],
        [['alloc'], ['alloc']],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return end.results[1]!.map((handle) => pageName(end, handle)).join(', ');
    },
    outcomes: {
      'page 1, page 2': 'page 1 as spare or from the ring, then page 2',
      'page 2, page 1': 'page 2 as the spare of the second spill, then page 1 from the ring',
      'page 1, none': "page 2 was in port 0's loaded magazine, or on its way",
      'page 2, none': 'page 1 was on its way to the ring',
      'none, page 1': 'nothing was shared yet; then page 1',
      'none, page 2': 'nothing was shared yet; then page 2',
      'none, none': 'looked while the pages were on their way: spare and ring are two places',
    },
  },
  {
    name: 'a spare of two pages taken by a starving port against a spill',
    threads: 2,
    options: { pageCount: 16 },
    setup(pool) {
      const [a, b, c, d, e] = allocPages(pool, 0, 16);
      releaseAll(pool, 0, [a!, b!, c!, d!]);
      return [[['release', e!]], [['alloc'], ['alloc'], ['alloc']]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      const [first, second, third] = end.results[1]!.map((handle) => (handle === 0 ? 'none' : 'a page'));
      return `${first}, ${second}, ${third}`;
    },
    outcomes: {
      'a page, a page, a page': 'two of the spare, and more of what the spill had moved on',
      'a page, a page, none': "two of the spare, and the others were in port 0's loaded magazine, or on their way",
    },
  },
  {
    name: 'pressure of two starving ports against a release',
    threads: 3,
    options: { pageCount: 2 },
    setup(pool) {
      const [a, b] = allocPages(pool, 0, 2);
      releaseAll(pool, 0, [a!]);
      return [[['release', b!]], [['alloc']], [['alloc']]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      const [, one, other] = end.results.map(([handle]) => pageName(end, handle!));
      return `${one}, ${other}: ${end.places.join(', ')}`;
    },
    outcomes: {
      'page 1, none: held by port 1, cache 0':
        'port 1 took the spare that the release left, and nobody asked before it',
      'none, page 1: held by port 2, cache 0': 'port 2 took it',
      'none, none: cache 0, cache 0': 'both looked before there was a spare, and asked after the release',
      'page 1, none: held by port 1, ring': 'asked in time: port 0 handed its pages over, and port 1 found page 1',
      'none, page 1: held by port 2, ring': 'port 2 found it',
      'page 2, none: ring, held by port 1': 'the same, and port 1 found page 2 as the spare on its way',
      'none, page 2: ring, held by port 2': 'port 2 found it',
      'none, none: ring, ring': 'both looked and asked before: the pages are in the ring for their next look',
    },
  },
  {
    name: 'retired pages taken against retire',
    threads: 2,
    options: { pageCount: 3 },
    setup(pool) {
      const [a, b, c] = allocPages(pool, 0, 3);
      const page = pool.port(0).pin(c!);
      releaseAll(pool, 0, [c!]);
      retirePages(pool, 0, [a!, b!]);
      return [[['unpin', page]], [['alloc']]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return `${pageName(end, end.results[1]![0]!)}: ${end.places.join(', ')}`;
    },
    outcomes: {
      'page 1: held by port 1, retired, retired': 'the first one taken, before or after the third was retired',
    },
  },
  {
    name: 'retired pages taken by two ports against retire',
    threads: 3,
    options: { pageCount: 3 },
    setup(pool) {
      const [a, b, c] = allocPages(pool, 0, 3);
      const page = pool.port(0).pin(c!);
      releaseAll(pool, 0, [c!]);
      retirePages(pool, 0, [a!, b!]);
      return [[['unpin', page]], [['alloc']], [['alloc']]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return `${pageName(end, end.results[1]![0]!)}, ${pageName(end, end.results[2]![0]!)}`;
    },
    outcomes: {
      'page 1, page 2': 'port 1 took the first, port 2 the second',
      'page 2, page 1': 'the same, the other way round',
    },
  },
  {
    name: 'a look for retired pages against retire',
    threads: 2,
    options: { pageCount: 2 },
    setup(pool) {
      const [a] = allocPages(pool, 0, 2);
      const page = pool.port(0).pin(a!);
      releaseAll(pool, 0, [a!]);
      return [[['unpin', page]], [['alloc']]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return `${pageName(end, end.results[1]![0]!)}: ${end.places.join(', ')}`;
    },
    outcomes: {
      'page 1: held by port 1, held by port 0': 'retired first',
      'none: retired, held by port 0': 'looked first, and the hint does not stand behind the page',
    },
  },
  {
    name: 'a retired page taken, used and retired again against a look for it',
    threads: 3,
    options: { pageCount: 2 },
    setup(pool) {
      const [a] = allocPages(pool, 2, 2);
      retirePages(pool, 2, [a!]);
      return [
        [['alloc']],
        [
          ['alloc'],
          { ifPositive: 0, call: ['pin', { resultOf: 0 }] },
          { ifPositive: 0, call: ['release', { resultOf: 0 }] },
          { ifPositive: 1, call: ['unpin', { resultOf: 1 }] },
        ],
      ];
    },
    outcome: (end) => {
      const [kept, used] = end.results.map(([handle]) => pageName(end, handle!));
      return `${kept} and ${used}: ${end.places[0]}`;
    },
    outcomes: {
      'page 1 and none: held by port 0': 'port 0 took it',
      'none and page 1: retired': 'port 1 took it, and port 0 looked before it was retired again',
      'page 1 and page 1: held by port 0': 'port 1 was done with it when port 0 looked',
    },
  },
  {
    name: 'two retirements',
    threads: 2,
    options: { pageCount: 3 },
    setup(pool) {
      const [a, b] = allocPages(pool, 0, 2);
      const pins = [pool.port(0).pin(a!), pool.port(0).pin(b!)];
      releaseAll(pool, 0, [a!, b!]);
      return pins.map((page) => [['unpin', page]]);
    },
    outcome: (end) => {
      for (const results of end.results) requireOk(results);
      return end.places.join(', ');
    },
    outcomes: {
      'retired, retired, fresh': 'both are on the list',
    },
  },
  {
    name: 'fresh claim against fresh claim',
    threads: 2,
    options: { pageCount: 2 },
    setup: () => [[['alloc']], [['alloc']]],
    outcome: (end) =>
      end.results
        .flat()
        .map((handle) => pageName(end, handle))
        .join(' and '),
    outcomes: {
      'page 1 and page 2': 'port 0 claimed first',
      'page 2 and page 1': 'port 1 claimed first',
    },
  },
  {
    name: 'the last fresh page, for three ports',
    threads: 3,
    options: { pageCount: 1 },
    setup: () => [[['alloc']], [['alloc']], [['alloc']]],
    outcome: (end) =>
      end.results
        .flat()
        .map((handle) => pageName(end, handle))
        .join(', '),
    outcomes: {
      'page 1, none, none': 'port 0 claimed it',
      'none, page 1, none': 'port 1 claimed it',
      'none, none, page 1': 'port 2 claimed it',
    },
  },
  {
    name: 'fresh claims of whole magazines',
    threads: 2,
    options: { pageCount: 16 },
    setup: () => [[['alloc'], ['alloc'], ['alloc']], [['alloc']]],
    outcome: (end) => `${end.places.filter((place) => place === 'fresh').length} fresh`,
    outcomes: {
      '10 fresh': 'three magazines of two, or as many pages in parts',
    },
  },
  {
    name: 'merge of half-empty magazines against a merge',
    threads: 2,
    options: { pageCount: 32 },
    setup(pool) {
      halfEmptyMagazines(pool, 3);
      return [[['alloc']], [['alloc']]];
    },
    outcome: (end) => [...end.places.slice(0, 5)].sort().join(', '),
    outcomes: {
      'cache 0, cache 1, fresh, held by port 0, held by port 1': 'each got one, and kept the merged rest',
    },
  },
  {
    name: 'trim against a refill and a release',
    threads: 2,
    options: { pageCount: 3 },
    setup(pool) {
      const [a, b, c] = allocPages(pool, 0, 3);
      pool.give(0, 1, c!);
      releaseAll(pool, 0, [a!, b!]);
      return [[['trim']], [['alloc'], ['release', c!]]];
    },
    outcome: (end) => {
      requireOk(end.results[1]!, [1]);
      return `${pageName(end, end.results[1]![0]!)}: ${end.places.join(', ')}`;
    },
    outcomes: {
      'page 1: held by port 1, retired, cache 1': 'page 1 from the spare, the ring or retired; the other trimmed',
      'page 2: retired, held by port 1, cache 1': 'page 2 from the ring or retired; the other trimmed',
      'none: retired, retired, cache 1': 'looked while both were on their way',
    },
  },
  {
    name: 'parking against a starving port',
    threads: 2,
    options: { pageCount: 2 },
    setup(pool) {
      releaseAll(pool, 0, allocPages(pool, 0, 2));
      return [[['park']], [['alloc']]];
    },
    outcome: (end) => `${pageName(end, end.results[1]![0]!)}: ${end.places.join(', ')}`,
    outcomes: {
      'page 1: held by port 1, ring': 'page 1 as the spare, or from the ring',
      'page 2: ring, held by port 1': 'page 2 from the ring',
      'none: ring, ring': 'looked before',
    },
  },
];
