// 07 cost against size: the same operations on pages of 256 bytes to 1 MiB.

import { circulate } from './circulate.js';
import { throughRing } from './pages.js';
import { RING_PAGES } from './ring.js';
import { type Prepare, REPEAT, type Row } from './row.js';

const PAGE_BYTES = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

const hit: Prepare = (pool) => {
  circulate(pool, 'in order');
  return () => {
    for (let i = 0; i < REPEAT; i++) pool.release(pool.alloc());
  };
};

const seriesOf: readonly { id: string; name: string; repeat: number; touches?: 'one word a page'; prepare: Prepare }[] =
  [
    { id: 'hit', name: 'alloc + release, the same page', repeat: REPEAT, prepare: hit },
    { id: 'ring', name: `${RING_PAGES} pages through the ring`, repeat: RING_PAGES, prepare: throughRing(false) },
    {
      id: 'ring.stamped',
      name: `${RING_PAGES} pages through the ring, one word of each written`,
      repeat: RING_PAGES,
      touches: 'one word a page',
      prepare: throughRing(true),
    },
  ];

export const pageSizeRows: readonly Row[] = seriesOf.flatMap(({ id, name, repeat, touches, prepare }) =>
  PAGE_BYTES.map(
    (pageBytes): Row => ({
      id: `page-bytes.${id}.${pageBytes}`,
      group: 'page-bytes',
      name: `${name}: ${pageBytes} B`,
      per: 'page',
      place: { series: name, value: pageBytes },
      repeat,
      pool: { pageBytes, pageCount: 1024, maxPorts: 2 },
      isLong: pageBytes > 256,
      engine: prepare,
      ...(touches === undefined ? {} : { touches }),
    }),
  ),
);
