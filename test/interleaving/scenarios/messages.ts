// Messages of several entries: each whole or not there at all, whoever else sends, receives, drops or dies.
//
// Tags say what belongs together, and conservation.ts checks it in every node at every end: 100 x message + 10 x its
// entries + place. Entries that are alone have tags below 100.

import type { WhenFull } from '../../../src/control/geometry.js';
import { moreMask } from '../../../src/control/messages.js';
import type { PoolOptions } from '../../../src/pool/options.js';
import type { End, Scenario } from '../explorer.js';
import { lapMask, type ModelPool } from '../model.js';
import type { Call } from '../thread.js';
import { allocPages, codeName } from './common.js';

const ENTRY_BYTES = 16;

function channelOf(capacity: number, whenFull: WhenFull = 'refuse'): PoolOptions {
  return { pageCount: 6, channels: { entries: { capacity, batch: 2, whenFull } } };
}

/** A call by which port `id` sends pages of its own as message number `message`. */
function sendMessage(pool: ModelPool, id: number, message: number, handles: readonly number[]): Call {
  const entries = pool.scratch(id);
  for (const [i, handle] of handles.entries()) {
    const at = entries + i * ENTRY_BYTES;
    pool.write(at, handle);
    pool.write(at + 12, 100 * message + 10 * handles.length + i);
  }
  return ['sendBurst', 0, entries, handles.length, moreMask(handles.length)];
}

/** Sends message number `message` of two pages of port `id` at once. */
function put(pool: ModelPool, id: number, message: number): void {
  const [name, ...args] = sendMessage(pool, id, message, allocPages(pool, id, 2));
  if (pool.port(id)[name as 'sendBurst'](...(args as [number, number, number, number])) !== 2) {
    throw new Error('setup: sendBurst refused');
  }
}

/** The next transfer wraps the ring's lap and position. */
function startAtWrap(pool: ModelPool): void {
  const { ring } = pool.geometry.channels[0]!;
  pool.startRingAt(ring, lapMask(ring), ring.slotCount - 1);
}

/** Where port `id` receives: behind what it sends. */
function inbox(pool: ModelPool, id: number): number {
  return pool.scratch(id) + 2 * ENTRY_BYTES;
}

function receive(pool: ModelPool, id: number, count: number, place = 0): Call {
  return ['receiveBurst', 0, inbox(pool, id) + place * ENTRY_BYTES, count];
}

/** What call number `call` of port `id` received, from its place on. */
function tags({ pool, results }: End, id: number, call: number, place = 0): string {
  const count = results[id]![call] ?? 0;
  const found = Array.from({ length: count }, (_, i) => pool.read(inbox(pool, id) + (place + i) * ENTRY_BYTES + 12));
  return found.join(' ') || 'nothing';
}

function inside({ places }: End): number {
  return places.filter((place) => place === 'held by entries').length;
}

export const messageScenarios: readonly Scenario[] = [
  {
    name: 'a message of two against a receive, wrap',
    threads: 2,
    options: channelOf(2),
    setup(pool) {
      startAtWrap(pool);
      return [[sendMessage(pool, 0, 1, allocPages(pool, 0, 2))], [receive(pool, 1, 2)]];
    },
    outcome: (end) => `sent ${end.results[0]![0]}, received ${tags(end, 1, 0)}`,
    outcomes: {
      'sent 2, received 120 121': 'sent, then received',
      'sent 2, received nothing': 'looked first',
    },
  },
  {
    name: 'a message against a channel that has room for one entry',
    threads: 2,
    options: channelOf(3),
    setup(pool) {
      startAtWrap(pool);
      put(pool, 0, 1);
      return [[sendMessage(pool, 0, 2, allocPages(pool, 0, 2))], [receive(pool, 1, 2)]];
    },
    outcome: (end) => `sent ${end.results[0]![0]}, received ${tags(end, 1, 0)}, ${inside(end)} inside`,
    outcomes: {
      'sent 0, received 120 121, 0 inside': 'counted before there was room: the sender keeps both',
      'sent 2, received 120 121, 2 inside': 'received, then sent',
    },
  },
  {
    name: 'two messages and a single entry against a receiver',
    threads: 3,
    options: channelOf(4),
    bound: 2,
    setup(pool) {
      const [alone] = allocPages(pool, 1, 1);
      return [
        [sendMessage(pool, 0, 1, allocPages(pool, 0, 2))],
        [['send', 0, alone!, 0, 0, 9], sendMessage(pool, 1, 2, allocPages(pool, 1, 2))],
        [receive(pool, 2, 2)],
      ];
    },
    outcome: (end) =>
      `${end.results[0]![0]} ${codeName(end.results[1]![0]!)} ${end.results[1]![1]}, received ${tags(end, 2, 0)}`,
    outcomes: {
      '2 ok 2, received nothing':
        'looked first; both messages found room, the second sender counted before the first sent',
      '2 ok 2, received 9': 'the single entry was there alone',
      '2 ok 2, received 9 220': 'numbers are received entry by entry: the rest of message 2 is in the inbox',
      '2 ok 2, received 9 120': 'the same, message 1 was faster',
      '2 ok 2, received 120 121': 'message 1 was first',
      '2 ok 0, received nothing': 'looked first; message 2 found room for one entry, and kept both',
      '2 ok 0, received 120 121': 'the same, received in between',
      '0 ok 2, received nothing': 'looked first; message 1 found room for one entry, and kept both',
      '0 ok 2, received 9 220': 'the same, received in between',
    },
  },
  {
    name: 'drop-oldest with messages, wrap',
    threads: 3,
    options: channelOf(2, 'drop-oldest'),
    bound: 2,
    setup(pool) {
      startAtWrap(pool);
      put(pool, 0, 1);
      return [
        [sendMessage(pool, 0, 2, allocPages(pool, 0, 2))],
        [sendMessage(pool, 1, 3, allocPages(pool, 1, 2))],
        [receive(pool, 2, 2)],
      ];
    },
    outcome: (end) => `${end.results[0]![0]} ${end.results[1]![0]}, received ${tags(end, 2, 0)}, ${inside(end)} inside`,
    outcomes: {
      '2 2, received 120 121, 4 inside': '1 received, nothing to drop: both counted before either sent',
      '2 2, received 120 121, 2 inside': '1 received; of 2 and 3 the later dropped the other',
      '2 2, received 220 221, 2 inside': '1 dropped, 2 received, 3 sent',
      '2 2, received 320 321, 2 inside': '1 dropped, 3 received, 2 sent',
      '2 2, received 220 221, 0 inside': '1 and 3 dropped, then 2 received',
      '2 2, received 320 321, 0 inside': '1 and 2 dropped, then 3 received',
      '2 2, received nothing, 2 inside': '1 was dropped and its successor not sent yet; one of them dropped the other',
      '2 2, received nothing, 4 inside': 'the same, both counted before either sent',
    },
  },
  {
    name: 'a message taken entry by entry against another message',
    threads: 2,
    options: channelOf(4),
    setup(pool) {
      put(pool, 0, 1);
      return [[sendMessage(pool, 0, 2, allocPages(pool, 0, 2))], [receive(pool, 1, 1), receive(pool, 1, 1, 1)]];
    },
    outcome: (end) => `sent ${end.results[0]![0]}, received ${tags(end, 1, 0)} and ${tags(end, 1, 1, 1)}`,
    outcomes: { 'sent 2, received 120 and 121': 'the rest is in the inbox, whatever is sent meanwhile' },
  },
  {
    name: 'two senders of a message and of single entries, room for one',
    threads: 2,
    options: channelOf(2),
    setup(pool) {
      const alone = allocPages(pool, 0, 1)[0]!;
      const [before, after] = allocPages(pool, 1, 2);
      return [
        // Refused by the ring where both counted first: the entry behind it goes by the node that had the message.
        [sendMessage(pool, 0, 1, allocPages(pool, 0, 2)), ['send', 0, alone, 0, 0, 9]],
        [
          ['send', 0, before!, 0, 0, 7],
          ['send', 0, after!, 0, 0, 8],
        ],
      ];
    },
    outcome: (end) => {
      const [[message, alone] = [], [before, after] = []] = end.results;
      return `${message} ${codeName(alone!)}, ${codeName(before!)} ${codeName(after!)}, ${inside(end)} inside`;
    },
    outcomes: {
      '2 full, full full, 2 inside': 'the message first',
      '2 full, ok full, 3 inside': 'both counted before either sent: entries are counted late, nodes are not',
      '0 full, ok ok, 2 inside': 'both entries first: the ring refused the message, or its count did',
      '0 ok, ok full, 2 inside': 'an entry before the message, and one behind it',
    },
  },
];
