// Waiting: whoever sleeps is woken when what it waits for is there, whoever else was chosen, gave up, took nothing or
// died.

import { CHANNEL_NOT_EMPTY_OFFSET, EVENT_KNOWN_OFFSET } from '../../../assembly/layout.js';
import { loanParts, poolEvents } from '../../../src/control/nodes.js';
import { hasCompany } from '../../../src/port/bell.js';
import type { End, Scenario } from '../explorer.js';
import type { ModelPool } from '../model.js';
import { leave } from '../pool-code.js';
import { reaperCode } from '../reaper-code.js';
import type { Program } from '../thread.js';
import {
  idle,
  requireNoneMissed,
  settleEntries,
  waitForEither,
  waitForEntry,
  waitForPage,
  waitForPages,
  waitToLend,
  waitToReceive,
  waitToSend,
} from '../waiter-code.js';
import { allocPages, channelOf, fillChannel, receive, releaseAll } from './common.js';

/** The ports have waited there before: they know that they are not alone. */
function acquaint(pool: ModelPool, ports: readonly number[]): void {
  const bits = ports.reduce((sum, id) => sum | (1 << id), 0);
  for (const event of poolEvents(pool.geometry)) pool.write(event + EVENT_KNOWN_OFFSET, bits);
}

/** What each thread got by its first call; `asleep` where it sleeps. */
function told(end: End, threads: readonly number[], call = 0): string {
  requireNoneMissed(end);
  const names = threads.map((id) => {
    if (end.dead.includes(id)) return 'dead';
    const result = end.results[id]![call];
    if (result === undefined) return 'asleep';
    return result === null ? 'not called' : result > 0 ? 'got' : result === -2 ? 'closed' : 'gave up';
  });
  return names.join(', ');
}

/** Sends one page. */
function sender(pool: ModelPool, id: number, tag = 1): Program {
  const [page] = allocPages(pool, id, 1);
  return [['send', 0, page!, 0, 0, tag]];
}

/** One entry, and ports 1 and 2 wait for it. */
const oneEntry: Pick<Scenario, 'threads' | 'options' | 'setup'> = {
  threads: 3,
  options: channelOf(2),
  setup(pool) {
    acquaint(pool, [1, 2]);
    return [sender(pool, 0), [waitToReceive], [waitToReceive]];
  },
};

/** Few preemptions: each look counts the pages, which takes many steps. */
const severalPages: Pick<Scenario, 'threads' | 'options' | 'bound'> = {
  threads: 3,
  options: { pageCount: 2, maxPorts: 3, channels: {} },
  bound: 1,
};

const reaper: Scenario['reaper'] = (pool, dead, by) => reaperCode().reapPort(pool.memory, pool.geometry, dead, by);

export const waitingScenarios: readonly Scenario[] = [
  {
    ...oneEntry,
    name: 'an entry for one of two that wait',
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, asleep': 'port 1 was first, or chosen',
      'asleep, got': 'port 2 was',
    },
  },
  {
    ...oneEntry,
    name: 'an entry for one of two that wait, one of which gives up',
    bound: 3,
    aborts: 1,
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, asleep': 'port 1 was first, or chosen',
      'asleep, got': 'port 2 was',
      'got, gave up': 'port 2 gave up, chosen or not: port 1 was woken instead',
      'gave up, got': 'the same the other way round',
    },
  },
  {
    ...oneEntry,
    name: 'an entry for one of two that wait, and somebody dies',
    bound: 1,
    kills: 1,
    reaper,
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, asleep': 'nobody died, or the sender did when port 1 had it',
      'asleep, got': 'likewise with port 2',
      'asleep, asleep': 'the sender died with its page',
      'dead, got': 'port 1 died, with the entry or without: what it had came back, and every bell was rung',
      'got, dead': 'the same the other way round',
      'dead, asleep': 'port 1 died when it had received the entry: its page went home',
      'asleep, dead': 'port 2 did',
    },
  },
  {
    name: 'an entry, and the thread that was chosen for it is busy for good',
    threads: 3,
    options: channelOf(2),
    bound: 2,
    kills: 1,
    victims: [1],
    setup: (pool) => [sender(pool, 0), [waitToReceive], [waitToReceive]],
    outcome: ({ pool, asleep, dead, results }) => {
      if (results[2]!.length > 0) return 'got';
      if (!asleep.includes(2)) throw new Error('port 2 neither sleeps nor has anything');
      if (dead.length === 0) return 'asleep';
      // A timer of 20 ms is what wakes it: it must know that it needs one.
      const event = { offset: pool.geometry.channels[0]!.offset + CHANNEL_NOT_EMPTY_OFFSET };
      const seen = hasCompany({ memory: pool.memory, id: 2 }, event);
      return `asleep, ${seen ? 'and looks again by itself' : 'alone'}`;
    },
    outcomes: {
      got: 'port 2 was chosen, or came by itself',
      asleep: 'port 1 was chosen, and had it',
      'asleep, and looks again by itself': 'port 1 was chosen, or had it: port 2 knows that it is not alone',
    },
  },
  {
    name: 'two entries for two that wait, known to each other or not',
    threads: 3,
    options: channelOf(2),
    bound: 2,
    setup(pool) {
      const [first, second] = allocPages(pool, 0, 2);
      return [
        [
          ['send', 0, first!, 0, 0, 1],
          ['send', 0, second!, 0, 0, 2],
        ],
        [waitToReceive],
        [waitToReceive],
      ];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: { 'got, got': 'one each' },
  },
  {
    name: 'two send and two receive, capacity 1, full',
    threads: 4,
    options: channelOf(1),
    bound: 1,
    setup(pool) {
      fillChannel(pool, 0, 1, false);
      const [a, b] = [allocPages(pool, 0, 1)[0]!, allocPages(pool, 1, 1)[0]!];
      acquaint(pool, [0, 1, 2, 3]);
      return [[waitToSend(a, 2)], [waitToSend(b, 3)], [waitToReceive, waitToReceive], [waitToReceive]];
    },
    outcome: (end) => `${told(end, [0, 1, 2, 3])}; ${told(end, [2], 1)}`,
    outcomes: { 'got, got, got, got; got': 'three entries, one each: every entry was room for the next sender' },
  },
  {
    name: 'an entry that a chosen thread only looks at, and leaves',
    threads: 3,
    options: channelOf(2),
    bound: 3,
    setup(pool) {
      acquaint(pool, [1, 2]);
      return [sender(pool, 0), [waitForEntry, settleEntries], [waitToReceive]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, got': 'port 1 looked and passed it on, or port 2 came by itself',
      'asleep, got': 'port 2 was faster',
    },
  },
  {
    name: 'a channel closed under two that wait, one of them chosen',
    threads: 4,
    options: channelOf(2),
    bound: 2,
    setup(pool) {
      acquaint(pool, [1, 2]);
      return [sender(pool, 0), [waitToReceive], [waitToReceive], [['closeChannel', 0]]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, closed': 'port 1 had the entry, and port 2 heard of the end',
      'closed, got': 'the other way round',
      'closed, closed': 'closed before the entry was sent, or it was taken back',
    },
  },
  {
    name: 'a chosen thread detaches',
    threads: 3,
    options: channelOf(2),
    bound: 2,
    aborts: 1,
    setup(pool) {
      acquaint(pool, [1, 2]);
      return [sender(pool, 0), [waitToReceive, { ifGaveUp: 0, run: leave }], [waitToReceive]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, asleep': 'it was not: it took the entry',
      'asleep, got': 'port 2 was chosen',
      'gave up, got': 'it gave up, left, and port 2 was woken instead',
      'got, gave up': 'port 2 gave up',
    },
  },
  {
    name: 'an entry and a page, one thread waits for either and one for the page',
    threads: 4,
    options: { pageCount: 2, channels: { entries: { capacity: 2, batch: 1 } } },
    bound: 1,
    setup(pool) {
      acquaint(pool, [2, 3]);
      const [page] = allocPages(pool, 1, 1);
      return [sender(pool, 0), [['release', page!], ['park']], [waitForEither], [waitForPage]];
    },
    outcome: (end) => told(end, [2, 3]),
    outcomes: {
      'got, got': 'each had one',
      'got, asleep': 'port 2 had the page, and the entry is nobody’s that waits',
    },
  },
  {
    name: 'a page that an idle thread has cached, and one that waits for it',
    threads: 2,
    options: { pageCount: 1 },
    bound: 4,
    setup(pool) {
      const [page] = allocPages(pool, 0, 1);
      return [[['release', page!], idle], [waitForPage]];
    },
    outcome: (end) => told(end, [1]),
    outcomes: { got: 'it was published, or asked for' },
  },
  {
    name: 'two pages that come home at once, and two that wait for one each',
    threads: 3,
    options: { pageCount: 16, maxPorts: 3, channels: {} },
    bound: 1,
    setup(pool) {
      acquaint(pool, [1, 2]);
      const [one, two] = allocPages(pool, 0, 16);
      return [[['release', one!], ['release', two!], ['park']], [waitForPage], [waitForPage]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: { 'got, got': 'one each, however they came' },
  },
  {
    name: 'a receipt makes room for one of two that wait to send',
    threads: 3,
    options: channelOf(1),
    bound: 3,
    setup(pool) {
      fillChannel(pool, 0, 1, true);
      const [a, b] = [allocPages(pool, 1, 1)[0]!, allocPages(pool, 2, 1)[0]!];
      acquaint(pool, [1, 2]);
      return [[receive(pool, 0)], [waitToSend(a, 2)], [waitToSend(b, 3)]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: { 'got, asleep': 'port 1 was first, or chosen', 'asleep, got': 'port 2 was' },
  },
  {
    ...severalPages,
    name: 'two pages for two that need both, one after the other',
    bound: 0,
    bounds: { typescript: 1 },
    setup(pool) {
      const [one, two] = allocPages(pool, 0, 2);
      acquaint(pool, [1, 2]);
      const takeAndGiveBack = (id: number): Program => [
        waitForPages(2),
        ['releaseBulk', pool.scratch(id), 2],
        ['park'],
      ];
      return [[['release', one!], ['release', two!], ['park']], takeAndGiveBack(1), takeAndGiveBack(2)];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: { 'got, got': 'both, one after the other, whoever looked first' },
  },
  {
    ...severalPages,
    name: 'two pages for two that need both, one of which dies',
    bound: 0,
    kills: 1,
    victims: [1],
    reaper,
    setup(pool) {
      const [one, two] = allocPages(pool, 0, 2);
      acquaint(pool, [1, 2]);
      return [[['release', one!], ['release', two!], ['park']], [waitForPages(2)], [waitForPages(2)]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, asleep': 'port 1 was first',
      'asleep, got': 'port 2 was',
      'dead, got': 'port 1 died, as the taker or not: its reaper cleared the word, and gave back what it had',
    },
  },
  {
    ...severalPages,
    name: 'two pages for one that needs both and one that needs one',
    setup(pool) {
      const [one, two] = allocPages(pool, 0, 2);
      acquaint(pool, [1, 2]);
      return [[['release', one!], ['release', two!], ['park']], [waitForPages(2)], [waitForPage]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, asleep': 'port 1 was first',
      'asleep, got': 'port 2 has one, so that port 1 has too few',
    },
  },
  {
    ...severalPages,
    name: 'one page for two that need two each',
    setup(pool) {
      const [one] = allocPages(pool, 0, 2);
      acquaint(pool, [1, 2]);
      return [[['release', one!], ['park']], [waitForPages(2)], [waitForPages(2)]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: { 'asleep, asleep': 'neither takes what it cannot use: nobody is woken again' },
  },
  {
    ...severalPages,
    name: 'a taker that is done, and two that wait for that, one of which gives up',
    aborts: 1,
    setup(pool) {
      const [, ...two] = allocPages(pool, 0, 3);
      pool.port(0).park();
      releaseAll(pool, 0, two);
      pool.port(0).unpark();
      acquaint(pool, [0, 1, 2]);
      return [[waitForPages(3)], [waitForPages(2)], [waitForPages(2)]];
    },
    options: { pageCount: 3, maxPorts: 3, channels: {} },
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, asleep': 'port 1 was first, and has both',
      'asleep, got': 'port 2 was',
      'got, gave up': 'port 2 gave up, chosen or not',
      'gave up, got': 'the same the other way round',
    },
  },
  {
    name: 'a taker that is done, and one that comes meanwhile',
    threads: 2,
    options: { pageCount: 3, maxPorts: 2, channels: {} },
    bound: 2,
    setup(pool) {
      const [, ...two] = allocPages(pool, 0, 3);
      pool.port(0).park();
      releaseAll(pool, 0, two);
      pool.port(0).unpark();
      acquaint(pool, [0, 1]);
      return [[waitForPages(3)], [waitForPages(2)]];
    },
    outcome: (end) => told(end, [0, 1]),
    outcomes: { 'asleep, got': 'port 1 looked when port 0 had found too few' },
  },
  {
    name: 'a token that comes back, for one of two that wait to lend, one of which gives up',
    threads: 3,
    options: { pageCount: 3, tokens: 1, channels: {} },
    bound: 2,
    aborts: 1,
    setup(pool) {
      const [lent] = allocPages(pool, 0, 1);
      const { index, sequence } = loanParts(pool.port(0).lend(lent!, 0, 0, 0));
      const [a, b] = [allocPages(pool, 1, 1)[0]!, allocPages(pool, 2, 1)[0]!];
      acquaint(pool, [1, 2]);
      return [[['adopt', index, sequence, pool.scratch(0)]], [waitToLend(a)], [waitToLend(b)]];
    },
    outcome: (end) => told(end, [1, 2]),
    outcomes: {
      'got, asleep': 'port 1 was first, or chosen',
      'asleep, got': 'port 2 was',
      'got, gave up': 'port 2 gave up, chosen or not: port 1 was woken instead',
      'gave up, got': 'the same the other way round',
    },
  },
];
