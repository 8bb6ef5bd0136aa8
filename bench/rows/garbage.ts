// The number calls together: what ten million of them leave for the garbage collector.

import { BATCH, ENTRY_WORDS, type Row, SMALL, sink } from './row.js';

/** Turns of one call of the timed function. */
const TURNS = 64;
/** Number calls of one turn; a burst counts as one. */
const CALLS = 19;

export const garbageRows: readonly Row[] = [
  {
    id: 'garbage.numbers',
    group: 'garbage',
    name: 'every call of the number group in turn',
    per: 'call',
    repeat: TURNS * CALLS,
    pool: { channels: { bench: { capacity: 256, batch: BATCH } } },
    garbageOperations: 10_000_000,
    note: 'Number calls: alloc, allocFragment, allocBulk, allocBurst, retain, release, releaseBulk, area, offset, extent, refCount, isReadable, pin, unpin, send, receiveBurst.',
    engine: (pool) => {
      const channel = pool.channel('bench');
      const handles = pool.words(8);
      const entries = pool.words(ENTRY_WORDS);
      return () => {
        for (let i = 0; i < TURNS; i++) {
          const page = pool.alloc();
          pool.retain(page);
          pool.unpin(pool.pin(page));
          channel.send(page, 0, 64, i);
          channel.receiveBurst(entries, 1);
          pool.release(entries[0] as number);
          let sum = pool.area(page)[pool.offset(page)] as number;
          sum += pool.extent(page) + pool.refCount(page) + (pool.isReadable(page) ? 1 : 0);
          pool.release(page);
          pool.release(pool.allocFragment(256));
          sum += pool.allocBulk(handles, 8) ? 1 : 0;
          pool.releaseBulk(handles, 8);
          pool.releaseBulk(handles, pool.allocBurst(handles, 8));
          sink.sum = (sink.sum + sum) & SMALL;
        }
      };
    },
  },
];
