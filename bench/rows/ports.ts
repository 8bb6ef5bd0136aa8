// 07 cost against size: the same operations while more threads are attached to the pool, idle.

import { circulate } from './circulate.js';
import { MANY_PAGES } from './fast.js';
import { throughRing } from './pages.js';
import { RING_PAGES } from './ring.js';
import { ENTRY_WORDS, type Prepare, REPEAT, type Row, readAll, SMALL, sink } from './row.js';

const PORT_COUNTS = [1, 2, 4, 8, 16];
const POOL = { ...MANY_PAGES, channels: { bench: { capacity: 256, batch: 1 } } };

const hit: Prepare = (pool) => {
  circulate(pool, 'in order');
  return () => {
    for (let i = 0; i < REPEAT; i++) pool.release(pool.alloc());
  };
};

const single: Prepare = (pool) => {
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
};

const empty: Prepare = (pool) => {
  while (pool.alloc() !== 0);
  return () => {
    for (let i = 0; i < REPEAT; i++) sink.sum = (sink.sum + pool.alloc()) & SMALL;
  };
};

const seriesOf: readonly { id: string; name: string; per: string; repeat: number; prepare: Prepare }[] = [
  { id: 'hit', name: 'alloc + release', per: 'pair', repeat: REPEAT, prepare: hit },
  {
    id: 'ring',
    name: `${RING_PAGES} pages through the ring`,
    per: 'page',
    repeat: RING_PAGES,
    prepare: throughRing(false),
  },
  { id: 'channel', name: 'send + receive, single', per: 'entry', repeat: REPEAT, prepare: single },
  { id: 'empty', name: 'alloc() on an empty pool', per: 'call', repeat: REPEAT, prepare: empty },
];

export const portRows: readonly Row[] = seriesOf.flatMap(({ id, name, per, repeat, prepare }) =>
  PORT_COUNTS.map(
    (ports): Row => ({
      id: `ports.${id}.${ports}`,
      group: 'ports',
      name: `${name}: ${ports} ${ports === 1 ? 'port' : 'ports'}`,
      per,
      place: { series: name, value: ports },
      repeat,
      pool: id === 'empty' ? { ...POOL, pageCount: 64 } : POOL,
      attached: ports - 1,
      isLong: ports > 1,
      engine: prepare,
    }),
  ),
);
