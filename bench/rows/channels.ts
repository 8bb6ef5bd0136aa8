// 02 channel: entries sent and received by one thread, against the ring that JavaScript has and the one of DPDK.
//
// ringbuf.js moves the 16 bytes of an entry between one sender and one receiver: no references, no checks of handles,
// no further threads. It is the fair floor for what a JavaScript ring costs.

import type { PagePool } from 'pagepool';
import { RingBuffer } from 'ringbuf.js';
import { BATCH, ENTRY_WORDS, type Other, REPEAT, type Row, readAll, sink } from './row.js';

const CAPACITY = 256;
const CHANNEL = { channels: { bench: { capacity: CAPACITY, batch: BATCH } } };

/** Entries on pages of their own, so that every one carries another handle. */
function fill(pool: PagePool, entries: Uint32Array): Uint32Array {
  for (let i = 0; i < BATCH; i++) entries.set([pool.alloc(), 0, 64, i], ENTRY_WORDS * i);
  return entries;
}

function burstsOn(pool: PagePool, entries: Uint32Array): () => void {
  const channel = pool.channel('bench');
  fill(pool, entries);
  return () => {
    for (let i = 0; i < REPEAT; i += BATCH) {
      channel.sendBurst(entries, BATCH);
      channel.receiveBurst(entries, BATCH);
      readAll(entries, BATCH);
    }
  };
}

/** Bursts of `count` entries through ringbuf.js. */
function ringbuf(count: number): Other {
  return {
    prepare: () => {
      const ring = new RingBuffer(
        RingBuffer.getStorageForCapacity(CAPACITY * ENTRY_WORDS, Uint32Array),
        Uint32Array as never,
      );
      const entries = new Uint32Array(count * ENTRY_WORDS);
      const words = entries.length;
      return () => {
        for (let i = 0; i < REPEAT; i += count) {
          entries[0] = i;
          ring.push(entries, words);
          ring.pop(entries, words);
          readAll(entries, count);
        }
      };
    },
  };
}

export const channelRows: readonly Row[] = [
  {
    id: 'channel.single',
    group: 'channel',
    name: 'send + receiveBurst of one entry on words()',
    per: 'entry',
    repeat: REPEAT,
    pool: CHANNEL,
    natives: { 'DPDK rte_ring': 'ring', 'DPDK rte_ring, 16 B': 'ring16' },
    note: 'DPDK rte_ring (multi-producer, multi-consumer) carries pointers of 8 bytes, or 16 bytes as an entry has. ringbuf.js has one sender and one receiver, and carries bytes alone.',
    engine: (pool) => {
      const channel = pool.channel('bench');
      const entry = pool.words(ENTRY_WORDS);
      const handle = pool.alloc();
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          channel.send(handle, 0, 64, i);
          channel.receiveBurst(entry, 1);
          readAll(entry, 1);
        }
      };
    },
    others: { 'ringbuf.js': ringbuf(1) },
  },
  {
    id: 'channel.single.own',
    group: 'channel',
    name: 'send + receiveBurst of one entry on an own Uint32Array',
    per: 'entry',
    repeat: REPEAT,
    pool: CHANNEL,
    engine: (pool) => {
      const channel = pool.channel('bench');
      const entry = new Uint32Array(ENTRY_WORDS);
      const handle = pool.alloc();
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          channel.send(handle, 0, 64, i);
          channel.receiveBurst(entry, 1);
          readAll(entry, 1);
        }
      };
    },
  },
  {
    id: 'channel.burst.words',
    group: 'channel',
    name: `bursts of ${BATCH} entries on words(), batch ${BATCH}`,
    per: 'entry',
    repeat: REPEAT,
    pool: CHANNEL,
    natives: { 'DPDK rte_ring': 'ring-bulk', 'DPDK rte_ring, 16 B': 'ring16-bulk' },
    engine: (pool) => burstsOn(pool, pool.words(ENTRY_WORDS * BATCH)),
    others: { 'ringbuf.js': ringbuf(BATCH) },
  },
  {
    id: 'channel.burst.own',
    group: 'channel',
    name: `bursts of ${BATCH} entries on an own Uint32Array, batch ${BATCH}`,
    per: 'entry',
    repeat: REPEAT,
    pool: CHANNEL,
    engine: (pool) => burstsOn(pool, new Uint32Array(ENTRY_WORDS * BATCH)),
  },
  {
    id: 'channel.object',
    group: 'channel',
    name: 'sendFragment + receive, as objects',
    per: 'entry',
    repeat: REPEAT,
    pool: CHANNEL,
    engine: (pool) => {
      const channel = pool.channel('bench');
      let fragment = pool.take();
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          if (fragment !== null && channel.sendFragment(fragment, i)) fragment = channel.receive();
        }
        sink.kept = fragment;
      };
    },
  },
];
