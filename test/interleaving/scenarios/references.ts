// Who is last: references, fragments, pins and tokens.

import { CONTROL_BASE, HEADER_TOKEN_HINT_OFFSET } from '../../../assembly/layout.js';
import type { Scenario } from '../explorer.js';
import { allocPages, channelOf, codeName, pageName, releaseAll, requireAllOk, requireOk } from './common.js';

export const referenceScenarios: readonly Scenario[] = [
  {
    name: 'last release against last release',
    threads: 2,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      pool.port(0).retain(a!, 1);
      pool.give(0, 1, a!);
      return [[['release', a!]], [['release', a!]]];
    },
    outcome: (end) => {
      requireAllOk(end.results);
      return end.places[0]!;
    },
    outcomes: {
      'cache 0': 'port 1 released first',
      'cache 1': 'port 0 released first',
    },
  },
  {
    name: 'last release against last release against last release',
    threads: 3,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      pool.port(0).retain(a!, 2);
      pool.give(0, 1, a!);
      pool.give(0, 2, a!);
      return [[['release', a!]], [['release', a!]], [['release', a!]]];
    },
    outcome: (end) => {
      requireAllOk(end.results);
      return end.places[0]!;
    },
    outcomes: {
      'cache 0': 'port 0 released last',
      'cache 1': 'port 1 released last',
      'cache 2': 'port 2 released last',
    },
  },
  {
    name: 'retain and two releases against last release',
    threads: 2,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      pool.port(0).retain(a!, 1);
      pool.give(0, 1, a!);
      return [
        [
          ['retain', a!, 1],
          ['release', a!],
          ['release', a!],
        ],
        [
          ['release', a!],
          ['release', a!],
        ],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return `${end.places[0]!}, second release ${codeName(end.results[1]![1]!)}`;
    },
    outcomes: {
      'cache 0, second release stale': "port 0 last; port 1's second came when the fragment was gone",
      'cache 0, second release not held': "port 0 last; port 1's second came while port 0 still held the page",
      'cache 1, second release stale': 'port 1 last',
    },
  },
  {
    name: 'release, retain and two releases of one port against the release of another',
    threads: 2,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      pool.port(0).retain(a!, 2);
      pool.give(0, 1, a!);
      return [
        [
          ['release', a!],
          ['retain', a!, 1],
          ['release', a!],
          ['release', a!],
        ],
        [['release', a!]],
      ];
    },
    outcome: (end) => {
      requireAllOk(end.results);
      return end.places[0]!;
    },
    outcomes: {
      'cache 0': 'port 1 released first, whenever that was',
      'cache 1': 'port 0 released first',
    },
  },
  {
    name: 'two references of a page, one of them sent, against receive and release',
    threads: 2,
    options: channelOf(1),
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      return [
        [
          ['retain', a!, 1],
          ['send', 0, a!, 0, 1, 7],
          ['release', a!],
        ],
        [['receiveBurst', 0, pool.scratch(1), 1], { ifPositive: 0, call: ['release', a!] }],
      ];
    },
    outcome: (end) => `${end.results[1]![0]} received: ${end.places[0]!}`,
    outcomes: {
      '0 received: held by entries': 'nothing was there yet',
      '1 received: cache 0': 'port 1 released first',
      '1 received: cache 1': 'port 0 released first',
    },
  },
  {
    name: 'a burst given back and another one taken, one page of it shared, against its release',
    threads: 2,
    // Magazines of two pages.
    options: { pageCount: 16 },
    setup(pool) {
      const pages = allocPages(pool, 0, 3);
      pool.port(0).retain(pages[1]!, 1);
      pool.give(0, 1, pages[1]!);
      for (const [i, handle] of pages.entries()) pool.write(pool.scratch(0) + 4 * i, handle);
      return [
        [
          ['releaseBulk', pool.scratch(0), 3],
          ['allocBurst', pool.scratch(0), 2],
        ],
        [['release', pages[1]!]],
      ];
    },
    outcome: ({ results, places }) => `${results[0]!.join(', ')}: ${places.slice(0, 3).join(', ')}`,
    outcomes: {
      '3, 2: cache 1, held by port 0, cache 0': 'port 1 released the shared page last',
      '3, 2: held by port 0, cache 0, cache 0': 'port 0 did, and took it again',
    },
  },
  {
    name: 'last releases of two fragments of a page',
    threads: 2,
    setup(pool) {
      const a = pool.port(0).allocFragment(128);
      const b = pool.port(0).allocFragment(128);
      pool.give(0, 1, b);
      pool.port(0).park();
      pool.port(0).unpark();
      return [[['release', a]], [['release', b]]];
    },
    outcome: (end) => {
      requireAllOk(end.results);
      return end.places[0]!;
    },
    outcomes: {
      'cache 0': 'port 0 released last',
      'cache 1': 'port 1 released last',
    },
  },
  {
    // A mistake of port 0, which has another fragment of the page: it is taken for a holder, or refused.
    name: 'retain of a fragment that another port alone has, against its release',
    threads: 2,
    setup(pool) {
      const a = pool.port(0).allocFragment(64);
      pool.port(0).allocFragment(64);
      pool.give(0, 1, a);
      return [[['retain', a, 1], { ifOk: 0, call: ['release', a] }], [['release', a]]];
    },
    outcome: ({ results }) => {
      requireOk(results[1]!);
      return results[0]!.map(codeName).join(', ');
    },
    outcomes: {
      'stale, not called': 'released first, or between the look and the exchange',
      'ok, ok': 'retained first: a holder as any other',
    },
  },
  {
    name: 'bias drain against release, the page reused in place',
    threads: 2,
    setup(pool) {
      const a = pool.port(0).allocFragment(128);
      const b = pool.port(0).allocFragment(128);
      pool.give(0, 1, b);
      pool.port(0).release(a);
      return [[['allocFragment', 128]], [['release', b]]];
    },
    outcome: (end) => {
      requireOk(end.results[1]!);
      return `${pageName(end, end.results[0]![0]!)}: ${end.places.slice(0, 2).join(', ')}`;
    },
    outcomes: {
      'page 2: cache 1, open 0': 'left while port 1 held a fragment: a new page; port 1 takes the old one home',
      'page 1: open 0, fresh': 'released first: the page is opened again from its start',
    },
  },
  {
    name: 'bias drain by parking against release',
    threads: 2,
    setup(pool) {
      const a = pool.port(0).allocFragment(128);
      pool.give(0, 1, a);
      return [[['park']], [['release', a]]];
    },
    outcome: (end) => {
      requireOk(end.results[1]!);
      return end.places[0]!;
    },
    outcomes: {
      'cache 1': 'left first: port 1 takes the page home',
      ring: 'released first: port 0 takes it home and hands it on',
    },
  },
  {
    name: 'bias drain and own release against two releases',
    threads: 3,
    setup(pool) {
      const a = pool.port(0).allocFragment(64);
      const b = pool.port(0).allocFragment(64);
      const c = pool.port(0).allocFragment(128);
      pool.give(0, 1, a);
      pool.give(0, 2, b);
      return [
        [
          ['allocFragment', 128],
          ['release', c],
        ],
        [['release', a]],
        [['release', b]],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[0]!, [1]);
      requireOk(end.results[1]!);
      requireOk(end.results[2]!);
      return `${pageName(end, end.results[0]![0]!)}: ${end.places.slice(0, 2).join(', ')}`;
    },
    outcomes: {
      'page 2: cache 0, open 0': 'port 0 released last',
      'page 2: cache 1, open 0': 'port 1 released last',
      'page 2: cache 2, open 0': 'port 2 released last',
    },
  },
  {
    name: 'pin and release against last release',
    threads: 2,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      pool.port(0).retain(a!, 1);
      pool.give(0, 1, a!);
      return [
        [
          ['pin', a!],
          ['release', a!],
        ],
        [['release', a!]],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[0]!, [1]);
      requireOk(end.results[1]!);
      return end.places[0]!;
    },
    outcomes: {
      left: 'pinned: the page leaves with its last user, whoever that is',
    },
  },
  {
    name: 'pin, release, unpin against last release',
    threads: 2,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      pool.port(0).retain(a!, 1);
      pool.give(0, 1, a!);
      return [
        [
          ['pin', a!],
          ['release', a!],
          ['unpin', { resultOf: 0 }],
        ],
        [['release', a!]],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[0]!, [1, 2]);
      requireOk(end.results[1]!);
      return end.places[0]!;
    },
    outcomes: {
      'cache 1': 'unpinned before the last release',
      retired: 'the last release found the pin: the unpin retires the page',
    },
  },
  {
    name: 'unpin against last release',
    threads: 2,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      const page = pool.port(0).pin(a!);
      return [[['release', a!]], [['unpin', page]]];
    },
    outcome: (end) => {
      requireAllOk(end.results);
      return end.places[0]!;
    },
    outcomes: {
      'cache 0': 'unpinned first',
      retired: 'released first: the unpin retires the page',
    },
  },
  {
    name: 'two unpins against last release',
    threads: 3,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      const page = pool.port(0).pin(a!);
      pool.port(0).pin(a!);
      return [[['release', a!]], [['unpin', page]], [['unpin', page]]];
    },
    outcome: (end) => {
      requireAllOk(end.results);
      return end.places[0]!;
    },
    outcomes: {
      'cache 0': 'both unpinned first',
      retired: 'a pin was left: the last unpin retires the page',
    },
  },
  {
    // A mistake: one pin, given back twice. One of the two ends the page, and the other one is told.
    name: 'two unpins of the last pin of a page that has left',
    threads: 2,
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      const page = pool.port(0).pin(a!);
      releaseAll(pool, 0, [a!]);
      return [[['unpin', page]], [['unpin', page]]];
    },
    outcome: ({ results, places }) => `${results.map((own) => codeName(own[0]!)).join(', ')}: ${places[0]}`,
    outcomes: {
      'ok, no pin: retired': 'port 0 came first',
      'no pin, ok: retired': 'port 1 did',
    },
  },
  {
    name: 'unpin against last release, and two takers of the page',
    threads: 3,
    options: { pageCount: 1 },
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      const page = pool.port(0).pin(a!);
      return [[['release', a!], ['alloc']], [['unpin', page]], [['alloc']]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!, [0]);
      requireOk(end.results[1]!);
      return `${pageName(end, end.results[0]![1]!)}, ${pageName(end, end.results[2]![0]!)}: ${end.places[0]!}`;
    },
    outcomes: {
      'page 1, none: held by port 0': 'unpinned first: from its own cache, or retired in time: from the list',
      'none, page 1: held by port 2': 'the page left, was retired, and port 2 took it',
      'none, none: retired': 'both looked before it was retired',
    },
  },
  {
    name: 'bias drain of a pinned page against unpin',
    threads: 2,
    setup(pool) {
      const a = pool.port(0).allocFragment(128);
      const page = pool.port(0).pin(a);
      pool.give(0, 1, a);
      return [
        [['park']],
        [
          ['unpin', page],
          ['release', a],
        ],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[1]!);
      return end.places[0]!;
    },
    outcomes: {
      'cache 1': 'unpinned, released last by port 1',
      ring: 'unpinned and released before port 0 parked',
    },
  },
  {
    name: 'bias drain of a pinned page without users against unpin',
    threads: 2,
    setup(pool) {
      const a = pool.port(0).allocFragment(128);
      const page = pool.port(0).pin(a);
      pool.port(0).release(a);
      return [[['park']], [['unpin', page]]];
    },
    outcome: (end) => {
      requireOk(end.results[1]!);
      return end.places[0]!;
    },
    outcomes: {
      ring: 'unpinned first',
      retired: 'port 0 parked first: the page left, and the unpin retires it',
    },
  },
  {
    name: 'token adopted twice',
    threads: 3,
    setup(pool) {
      const [a] = allocPages(pool, 2, 1);
      const token = pool.port(2).lend(a!, 0, 0, 5);
      return [[['adopt', token, 0, pool.scratch(0)]], [['adopt', token, 0, pool.scratch(1)]]];
    },
    outcome: (end) => `${codeName(end.results[0]![0]!)} and ${codeName(end.results[1]![0]!)}: ${end.places[0]}`,
    outcomes: {
      'ok and spent: held by port 0': 'port 0 claimed it',
      'spent and ok: held by port 1': 'port 1 claimed it',
    },
  },
  {
    name: 'token adopted, adopted and released, and the next one lent',
    threads: 3,
    // One token: the next loan takes the place of the one that is adopted, or there is none.
    options: { tokens: 1 },
    setup(pool) {
      const [a] = allocPages(pool, 2, 1);
      const token = pool.port(2).lend(a!, 0, 0, 5);
      // The next one is lent in the same token, if that is free.
      pool.write(CONTROL_BASE + HEADER_TOKEN_HINT_OFFSET, 0);
      const [b] = allocPages(pool, 2, 1);
      return [
        [['adopt', token, 0, pool.scratch(0)]],
        [['adopt', token, 0, pool.scratch(1)], { ifOk: 0, call: ['release', a!] }],
        [['lend', b!, 0, 0, 6]],
      ];
    },
    outcome: ({ results, places }) => {
      const [kept, released, lent] = results;
      return `${codeName(kept![0]!)}, ${released!.map(codeName).join(' ')}, ${lent![0]! < 0 ? 'none free' : 'lent again'}: ${places.slice(0, 2).join(', ')}`;
    },
    outcomes: {
      'ok, spent not called, lent again: held by port 0, held by token': 'adopted by port 0, and the token used again',
      'ok, spent not called, none free: held by port 0, held by port 2': 'adopted by port 0 while the next was lent',
      'spent, ok ok, lent again: cache 1, held by token': 'adopted by port 1, and the token used again',
      'spent, ok ok, none free: cache 1, held by port 2': 'adopted by port 1 while the next was lent',
    },
  },
];
