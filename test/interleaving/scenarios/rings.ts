// The exchange ring: as recycle ring under the caches, and as channel.

import {
  EXCHANGE_BYTES,
  LANE_HEAD_OFFSET,
  LANE_TAIL_OFFSET,
  PORT_TURN_OFFSET,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
} from '../../../assembly/layout.js';
import { laneOffset } from '../../../src/control/nodes.js';
import { portOffset } from '../../../src/control/places.js';
import type { Scenario } from '../explorer.js';
import { lapMask } from '../model.js';
import type { Call, Program } from '../thread.js';
import {
  allocPages,
  cachePages,
  channelOf,
  codeName,
  entryTag,
  fillChannel,
  pageName,
  receive,
  received,
  requireAllOk,
  requireOk,
  sendBurst,
  tagsAt,
} from './common.js';

const recycleRing: Scenario[] = [
  {
    name: 'spill against refill',
    threads: 2,
    options: { pageCount: 3 },
    setup(pool) {
      const [last] = cachePages(pool, 0, 3);
      return [[['release', last!]], [['alloc']]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return pageName(end, end.results[1]![0]!);
    },
    outcomes: {
      'page 1': "taken as port 0's spare before the spill, or popped from the ring after it",
      'page 2': 'the ring was still empty: taken as the spare that the spill left',
    },
  },
  {
    name: 'spill against two refills',
    threads: 3,
    options: { pageCount: 3 },
    setup(pool) {
      const [last] = cachePages(pool, 0, 3);
      return [[['release', last!]], [['alloc']], [['alloc']]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return `${pageName(end, end.results[1]![0]!)}, ${pageName(end, end.results[2]![0]!)}`;
    },
    outcomes: {
      'page 1, page 2': 'one from the ring or the old spare, one from the new spare',
      'page 2, page 1': 'the same, the other way round',
      'page 2, none': 'the new spare went to the first; the second had looked into the ring before the push',
      'none, page 2': 'the same, the other way round',
      'page 1, none': "the old spare went to the first; the second looked when the other pages were in port 0's hands",
      'none, page 1': 'the same, the other way round',
    },
  },
  {
    name: 'two spills, wrap of lap and position',
    threads: 2,
    options: { pageCount: 6 },
    setup(pool) {
      const { ring } = pool.geometry;
      pool.startRingAt(ring, lapMask(ring), ring.slotCount - 1);
      const [last] = cachePages(pool, 0, 3);
      const [other] = cachePages(pool, 1, 3);
      return [[['release', last!]], [['release', other!]]];
    },
    outcome: (end) => {
      requireAllOk(end.results);
      return end.places.join(', ');
    },
    outcomes: {
      'ring, cache 0, cache 0, ring, cache 1, cache 1':
        "each port's coldest magazine is in the ring, on both sides of the wrap",
    },
  },
  {
    name: 'spill and refill against refill and release, wrap',
    threads: 2,
    options: { pageCount: 4 },
    setup(pool) {
      const { ring } = pool.geometry;
      pool.startRingAt(ring, lapMask(ring), ring.slotCount - 1);
      const [last, other] = cachePages(pool, 0, 4);
      pool.give(0, 1, other!);
      const back = { ifPositive: 0, call: ['release', { resultOf: 0 }] } as const;
      return [
        [['release', last!], ['alloc']],
        [['alloc'], ['release', other!], back],
      ];
    },
    outcome: (end) => {
      requireOk(end.results[0]!, [0]);
      requireOk(end.results[1]!, [1, 2]);
      return `${pageName(end, end.results[0]![1]!)}, ${pageName(end, end.results[1]![0]!)}: ${end.places.join(', ')}`;
    },
    outcomes: {
      'page 3, page 1: cache 1, cache 0, held by port 0, cache 1': 'page 1 from the ring or the old spare',
      'page 3, page 2: ring, cache 1, held by port 0, cache 1': 'page 2 from the new spare, page 1 stays in the ring',
    },
  },
  {
    name: 'three ports allocate and release two pages, twice',
    threads: 3,
    options: { pageCount: 2 },
    bound: 3,
    setup: () => {
      const program: Program = [
        ['alloc'],
        { ifPositive: 0, call: ['release', { resultOf: 0 }] },
        ['alloc'],
        { ifPositive: 2, call: ['release', { resultOf: 2 }] },
      ];
      return [program, program, program];
    },
    outcome: ({ results }) => {
      for (const own of results) requireOk(own.filter((result, call) => call % 2 === 1 && result !== null));
      const got = results.map((own) => own.filter((result, call) => call % 2 === 0 && result !== 0).length);
      return got.sort().join(' ');
    },
    outcomes: {
      '0 2 2': 'two ports keep a page each and were never asked while they released',
      '1 1 2': 'two looked once while the others had both pages',
      '1 2 2': 'the third was served once under pressure',
    },
  },
];

const closing: Scenario[] = [
  {
    name: 'close against send and receive',
    threads: 3,
    options: channelOf(2),
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      return [[['send', 0, a!, 0, 0, 9]], [receive(pool, 1)], [['closeChannel', 0]]];
    },
    outcome: (end) =>
      `send ${codeName(end.results[0]![0]!)}, received ${entryTag(end, 1, 0)}: ${end.places.slice(0, 1).join(', ')}`,
    outcomes: {
      'send ok, received 9: held by port 1': 'sent before the close, then received, be it after the close',
      'send ok, received nothing: held by entries': 'sent; the receiver had looked before',
      'send closed, received nothing: held by port 0': 'closed first: the sender keeps its reference',
    },
  },
  {
    name: 'send against close and drain',
    threads: 2,
    options: channelOf(2),
    setup(pool) {
      fillChannel(pool, 0, 1, true);
      const [a] = allocPages(pool, 0, 1);
      return [[['send', 0, a!, 0, 0, 9]], [['scrub']]];
    },
    outcome: (end) => `send ${codeName(end.results[0]![0]!)}: ${end.places.slice(0, 2).join(', ')}`,
    outcomes: {
      'send ok: retired, retired': 'sent before the drain, and drained',
      'send closed: retired, held by port 0':
        'closed first, or before the entry was looked at again: the sender keeps its reference',
    },
  },
  {
    // Port 1 sends and receives until it has the node that port 0 sent, sends in that one, and closes: the oldest node
    // is the one that port 0 sent, and not port 0's any more.
    name: 'send against its node in the hands of another sender, and a close',
    threads: 2,
    options: channelOf(1),
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      const [b, c, d] = allocPages(pool, 1, 3);
      const send = (handle: number | undefined, tag: number): Call => ['send', 0, handle!, 0, 0, tag];
      return [
        [send(a, 9)],
        [
          receive(pool, 1),
          { ifPositive: 0, call: send(b, 1) },
          { ifPositive: 0, call: receive(pool, 1) },
          { ifPositive: 0, call: send(c, 2) },
          { ifPositive: 0, call: receive(pool, 1) },
          { ifPositive: 0, call: send(d, 3) },
          ['closeChannel', 0],
          receive(pool, 1),
        ],
      ];
    },
    outcome: ({ results, places }) => {
      const [first, , , , , third] = results[1]!.slice(1);
      const how =
        first === null ? 'late' : `of three ${third === null ? 'not all' : `the last is ${codeName(third!)}`}`;
      return `send ${codeName(results[0]![0]!)}, ${how}: ${places[0]}`;
    },
    outcomes: {
      'send ok, late: held by port 1': 'received behind the close',
      'send closed, late: held by port 0': 'closed first, or the entry was taken back',
      'send ok, of three the last is ok: held by port 1': 'whoever has its node keeps what is in it',
    },
  },
];

/** Scenarios of a channel that refuses when it is full. */
function refusing(capacity: number): Scenario[] {
  const isOne = capacity === 1;
  return [
    {
      name: `send against receive, capacity ${capacity}, empty`,
      threads: 2,
      options: channelOf(capacity),
      setup(pool) {
        const [a] = allocPages(pool, 0, 1);
        return [[['send', 0, a!, 0, 0, 7]], [receive(pool, 1)]];
      },
      outcome: (end) => `send ${codeName(end.results[0]![0]!)}, received ${entryTag(end, 1, 0)}: ${end.places[0]}`,
      outcomes: {
        'send ok, received 7: held by port 1': 'sent, then received',
        'send ok, received nothing: held by entries': 'looked first',
      },
    },
    {
      name: `send against receive, capacity ${capacity}, full, wrap`,
      threads: 2,
      options: channelOf(capacity),
      setup(pool) {
        fillChannel(pool, 0, capacity, true);
        const [a] = allocPages(pool, 0, 1);
        return [[['send', 0, a!, 0, 0, 9]], [receive(pool, 1)]];
      },
      outcome: (end) => `send ${codeName(end.results[0]![0]!)}, received ${entryTag(end, 1, 0)}`,
      outcomes: {
        'send full, received 1': 'sent before there was room: the sender keeps its reference',
        'send ok, received 1': 'received, then sent',
      },
    },
    {
      name: `two sends against two receives, capacity ${capacity}, wrap`,
      threads: 2,
      options: channelOf(capacity),
      setup(pool) {
        fillChannel(pool, 0, 0, true);
        const [a, b] = allocPages(pool, 0, 2);
        return [
          [
            ['send', 0, a!, 0, 0, 1],
            ['send', 0, b!, 0, 0, 2],
          ],
          [receive(pool, 1), receive(pool, 1, 1), { ifPositive: 0, call: ['release', received(pool, 1)] }],
        ];
      },
      outcome: (end) => {
        return `${end.results[0]!.map(codeName).join(' ')}, received ${entryTag(end, 1, 0)} ${entryTag(end, 1, 1)}`;
      },
      outcomes: {
        'ok ok, received 1 2': 'each sent before it was received, in order',
        'ok ok, received 1 nothing': 'the second looked between the two sends',
        'ok ok, received nothing 1': 'the first looked before the first send',
        ...(isOne
          ? {
              'ok full, received 1 nothing': 'both sent before the first receive: there was room for one',
              'ok full, received nothing 1': 'the same, between the receives',
              'ok full, received nothing nothing': 'both looked before the sends',
            }
          : { 'ok ok, received nothing nothing': 'both looked before the sends' }),
      },
    },
    {
      name: `two senders against a receiver, capacity ${capacity}`,
      threads: 3,
      options: channelOf(capacity),
      setup(pool) {
        fillChannel(pool, 0, capacity - 1, true);
        const [a] = allocPages(pool, 0, 1);
        const [b] = allocPages(pool, 1, 1);
        return [[['send', 0, a!, 0, 0, 8]], [['send', 0, b!, 0, 0, 9]], [receive(pool, 2)]];
      },
      outcome: (end) => {
        return `${codeName(end.results[0]![0]!)} ${codeName(end.results[1]![0]!)}, received ${entryTag(end, 2, 0)}`;
      },
      outcomes: isOne
        ? {
            'ok ok, received 8': '8 sent, received, 9 sent',
            'ok ok, received 9': '9 sent, received, 8 sent',
            'ok full, received 8': 'both sent before the receive: 8 first',
            'full ok, received 9': 'both sent before the receive: 9 first',
            'ok full, received nothing': 'the receiver looked first',
            'full ok, received nothing': 'the receiver looked first',
          }
        : {
            'ok ok, received 1': 'received before the second send',
            'ok full, received 1': 'both sent before the receive: 8 first',
            'full ok, received 1': 'both sent before the receive: 9 first',
          },
    },
    {
      name: `a sender against two receivers, capacity ${capacity}`,
      threads: 3,
      options: channelOf(capacity),
      setup(pool) {
        fillChannel(pool, 0, 1, true);
        const [a] = allocPages(pool, 0, 1);
        return [[['send', 0, a!, 0, 0, 9]], [receive(pool, 1)], [receive(pool, 2)]];
      },
      outcome: (end) => {
        return `${codeName(end.results[0]![0]!)}, received ${entryTag(end, 1, 0)} and ${entryTag(end, 2, 0)}`;
      },
      outcomes: {
        'ok, received 1 and 9': 'both entries received, one by each',
        'ok, received 9 and 1': 'both entries received, one by each',
        'ok, received 1 and nothing': 'the second looked before the send',
        'ok, received nothing and 1': 'the first looked before the send',
        ...(isOne && {
          'full, received 1 and nothing': 'sent before there was room',
          'full, received nothing and 1': 'sent before there was room',
        }),
      },
    },
    {
      name: `a sender that receives against a sender, capacity ${capacity}`,
      threads: 2,
      options: channelOf(capacity),
      setup(pool) {
        fillChannel(pool, 0, 0, true);
        const [a] = allocPages(pool, 0, 1);
        const [b] = allocPages(pool, 1, 1);
        return [[['send', 0, a!, 0, 0, 8]], [['send', 0, b!, 0, 0, 9], receive(pool, 1, 1)]];
      },
      outcome: (end) => {
        return `${codeName(end.results[0]![0]!)} ${codeName(end.results[1]![0]!)}, received ${entryTag(end, 1, 1)}`;
      },
      outcomes: {
        'ok ok, received 9': isOne ? '8 sent after the receive' : '9 sent first',
        ...(isOne
          ? {
              'full ok, received 9': '9 sent first',
              'ok full, received 8': '8 sent first',
            }
          : { 'ok ok, received 8': '8 sent first' }),
      },
    },
  ];
}

/** A node carries two entries: bursts of three take two nodes each. */
const bursts: Scenario[] = [
  {
    name: 'a burst of three against a burst received',
    threads: 2,
    options: channelOf(4, 'refuse', 2),
    setup(pool) {
      const handles = allocPages(pool, 0, 3);
      return [[sendBurst(pool, 0, handles, 1)], [['receiveBurst', 0, pool.scratch(1), 3]]];
    },
    outcome: ({ pool, results, places }) => {
      const [came] = results[1]!;
      return `sent ${results[0]![0]}, received ${tagsAt(pool, 1, came!)}: ${places.slice(0, 3).join(', ')}`;
    },
    outcomes: {
      'sent 3, received 1 2 3: held by port 1, held by port 1, held by port 1': 'both nodes were there',
      'sent 3, received 1 2: held by port 1, held by port 1, held by entries': 'only the first node was there',
      'sent 3, received nothing: held by entries, held by entries, held by entries': 'looked first',
    },
  },
  {
    name: 'a burst into a full channel against two bursts received, wrap',
    threads: 2,
    options: channelOf(2, 'refuse', 2),
    setup(pool) {
      const { ring } = pool.geometry.channels[0]!;
      pool.startRingAt(ring, lapMask(ring), ring.slotCount - 1);
      const handles = allocPages(pool, 0, 4);
      const fill = sendBurst(pool, 0, handles.slice(0, 2), 1);
      if (pool.port(0).sendBurst(0, pool.scratch(0), 2, 0) !== 2) throw new Error(`setup: ${fill[0]} refused`);
      const burst = sendBurst(pool, 0, handles.slice(2), 3);
      return [
        [burst],
        [
          ['receiveBurst', 0, pool.scratch(1), 1],
          ['receiveBurst', 0, pool.scratch(1) + 16, 3],
        ],
      ];
    },
    outcome: ({ pool, results }) => {
      const [first, second] = results[1]!;
      return `sent ${results[0]![0]}, received ${tagsAt(pool, 1, first!)} and ${tagsAt(pool, 1, second!, 1)}`;
    },
    outcomes: {
      'sent 0, received 1 and 2': 'found it full: the node with 1 and 2 was still in its slot',
      'sent 2, received 1 and 2': 'sent when the receiver had taken 1 and 2 and looked for more',
      'sent 2, received 1 and 2 3 4': 'sent when the receiver had the node with 1 and 2',
    },
  },
  {
    name: 'two bursts against a burst received',
    threads: 3,
    options: channelOf(4, 'refuse', 2),
    setup(pool) {
      const own = allocPages(pool, 0, 2);
      const others = allocPages(pool, 1, 2);
      return [[sendBurst(pool, 0, own, 1)], [sendBurst(pool, 1, others, 6)], [['receiveBurst', 0, pool.scratch(2), 4]]];
    },
    outcome: ({ pool, results, places }) => {
      const sent = results.slice(0, 2).map(([count]) => count);
      const inside = places.filter((place) => place === 'held by entries').length;
      return `sent ${sent.join(' and ')}, received ${tagsAt(pool, 2, results[2]![0]!)}, ${inside} left inside`;
    },
    outcomes: {
      'sent 2 and 2, received 1 2 6 7, 0 left inside': 'port 0 first, then port 1, then received',
      'sent 2 and 2, received 6 7 1 2, 0 left inside': 'port 1 first',
      'sent 2 and 2, received 1 2, 2 left inside': "port 1's node came after the look",
      'sent 2 and 2, received 6 7, 2 left inside': "port 0's node came after the look",
      'sent 2 and 2, received nothing, 4 left inside': 'looked first',
    },
  },
];

/** Scenarios of a channel that drops its oldest entry to make room. */
function droppingOldest(capacity: number): Scenario[] {
  const isOne = capacity === 1;
  return [
    {
      name: `drop-oldest against receive, capacity ${capacity}, wrap`,
      threads: 2,
      options: channelOf(capacity, 'drop-oldest'),
      setup(pool) {
        fillChannel(pool, 0, capacity, true);
        const [a] = allocPages(pool, 0, 1);
        return [[['send', 0, a!, 0, 0, 9]], [receive(pool, 1)]];
      },
      outcome: (end) => {
        requireOk(end.results[0]!);
        return `received ${entryTag(end, 1, 0)}: ${end.places.slice(0, capacity).join(', ')}`;
      },
      outcomes: isOne
        ? {
            'received 9: cache 0': '1 dropped, then 9 received',
            'received 1: held by port 1': '1 received, nothing dropped',
          }
        : {
            'received 2: cache 0, held by port 1': '1 dropped, then 2 received',
            'received 1: held by port 1, held by entries': '1 received, nothing dropped',
          },
    },
    {
      name: `two drop-oldest senders against a receiver, capacity ${capacity}`,
      threads: 3,
      options: channelOf(capacity, 'drop-oldest'),
      setup(pool) {
        fillChannel(pool, 0, capacity, true);
        const [a] = allocPages(pool, 0, 1);
        const [b] = allocPages(pool, 1, 1);
        return [[['send', 0, a!, 0, 0, 8]], [['send', 0, b!, 0, 0, 9]], [receive(pool, 2)]];
      },
      outcome: (end) => {
        requireOk(end.results[0]!);
        requireOk(end.results[1]!);
        const inside = end.places.filter((place) => place === 'held by entries').length;
        return `received ${entryTag(end, 2, 0)}, ${inside} left inside`;
      },
      outcomes: isOne
        ? {
            'received 8, 0 left inside': '1 dropped, 9 dropped, 8 received last',
            'received 9, 0 left inside': '1 dropped, 8 dropped, 9 received last',
            'received 8, 1 left inside': '1 dropped, 8 received, 9 sent',
            'received 9, 1 left inside': '1 dropped, 9 received, 8 sent',
            'received 1, 1 left inside': '1 received; of 8 and 9 the later stays',
          }
        : {
            'received 8, 1 left inside': '1 and 2 dropped, 8 before 9',
            'received 9, 1 left inside': '1 and 2 dropped, 9 before 8',
            'received 2, 2 left inside': '1 dropped, 2 received, both sent',
            'received 1, 2 left inside': '1 received, 2 dropped, both sent',
          },
    },
  ];
}

/** Where ports keep their own hints, and where the channel's are behind: it moves them at every 8th position alone. */
const hints: Scenario[] = [
  {
    name: 'a receive and a send against a receive, full, hints behind',
    threads: 2,
    options: channelOf(3),
    setup(pool) {
      const { ring } = pool.geometry.channels[0]!;
      pool.startRingAt(ring, 5, 0);
      fillChannel(pool, 0, 3, false);
      // As ports leave them that die before they move them on.
      for (const hint of [RING_HEAD_OFFSET, RING_TAIL_OFFSET]) pool.write(ring.offset + hint, 4 * 2 ** ring.indexBits);
      const [a] = allocPages(pool, 0, 1);
      return [[receive(pool, 0), ['send', 0, a!, 0, 0, 4]], [receive(pool, 1)]];
    },
    outcome: (end) =>
      `received ${entryTag(end, 0, 0)}, sent ${codeName(end.results[0]![1]!)}, received ${entryTag(end, 1, 0)}`,
    outcomes: {
      'received 1, sent ok, received 2': 'the sender was the first to receive; there is room behind what it received',
      'received 2, sent ok, received 1': 'it was the second',
    },
  },
  {
    name: 'a send and a receive against a send, empty, hints behind',
    threads: 2,
    options: channelOf(3),
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      const [b] = allocPages(pool, 1, 1);
      return [[['send', 0, a!, 0, 0, 8], receive(pool, 0, 1)], [['send', 0, b!, 0, 0, 9]]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!, [0]);
      requireOk(end.results[1]!);
      return `received ${entryTag(end, 0, 1)}`;
    },
    outcomes: {
      'received 8': 'its own entry is the first; there is one in any case',
      'received 9': "the other port's is the first",
    },
  },
  {
    name: 'a hint of the tail from before the laps went round, against a send',
    threads: 2,
    options: channelOf(2),
    setup(pool) {
      const { ring } = pool.geometry.channels[0]!;
      pool.startRingAt(ring, 5, 0);
      pool.write(laneOffset(pool.geometry.channels[0]!, 1) + LANE_TAIL_OFFSET, 5 * 2 ** ring.indexBits + 1);
      const [a] = allocPages(pool, 0, 1);
      const [b] = allocPages(pool, 1, 1);
      return [[['send', 0, a!, 0, 0, 8]], [['send', 0, b!, 0, 0, 9], receive(pool, 1, 1)]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      requireOk(end.results[1]!, [0]);
      return `received ${entryTag(end, 1, 1)}`;
    },
    outcomes: {
      'received 8': '8 sent first',
      'received 9': '9 sent first: the hint is ahead of the tail, and is not used',
    },
  },
  {
    name: 'a hint of the head from before the laps went round, against a send',
    threads: 2,
    options: channelOf(3),
    setup(pool) {
      const { ring } = pool.geometry.channels[0]!;
      pool.startRingAt(ring, 5, 0);
      fillChannel(pool, 0, 2, false);
      pool.write(laneOffset(pool.geometry.channels[0]!, 1) + LANE_HEAD_OFFSET, 5 * 2 ** ring.indexBits + 1);
      const [a] = allocPages(pool, 0, 1);
      return [[['send', 0, a!, 0, 0, 3]], [receive(pool, 1)]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return `received ${entryTag(end, 1, 0)}`;
    },
    outcomes: { 'received 1': 'the hint is ahead of the head, and is not used' },
  },
  {
    name: 'a send against a receive, the second record in turn',
    threads: 2,
    options: channelOf(1),
    setup(pool) {
      pool.write(portOffset(pool.geometry, 1) + PORT_TURN_OFFSET, EXCHANGE_BYTES);
      const [a] = allocPages(pool, 0, 1);
      return [[['send', 0, a!, 0, 0, 7]], [receive(pool, 1)]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      return `received ${entryTag(end, 1, 0)}: ${end.places[0]}`;
    },
    outcomes: {
      'received 7: held by port 1': 'sent, then received',
      'received nothing: held by entries': 'looked first',
    },
  },
  {
    name: 'a send against a receive, a send and a receive',
    threads: 2,
    options: channelOf(2),
    setup(pool) {
      const [a] = allocPages(pool, 0, 1);
      const [b] = allocPages(pool, 1, 1);
      return [[['send', 0, a!, 0, 0, 8]], [receive(pool, 1), ['send', 0, b!, 0, 0, 9], receive(pool, 1, 2)]];
    },
    outcome: (end) => {
      requireOk(end.results[0]!);
      requireOk(end.results[1]!, [1]);
      return `received ${entryTag(end, 1, 0)} and ${entryTag(end, 1, 2)}`;
    },
    outcomes: {
      'received 8 and 9': 'its node travelled on while the sender was at the exchange',
      'received nothing and 8': 'looked first, and 8 was sent before 9',
      'received nothing and 9': 'looked first, and 9 was sent before 8',
    },
  },
];

export const ringScenarios: readonly Scenario[] = [
  ...recycleRing,
  ...closing,
  ...[1, 2].flatMap(refusing),
  ...bursts,
  ...hints,
  ...[1, 2].flatMap(droppingOldest),
];
