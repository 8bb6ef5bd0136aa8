// 02 ring: pages that travel between a port's cache and the recycle ring, by magazines.

import { MANY_PAGES } from './fast.js';
import { BURST, type Row, readAll } from './row.js';

/** Far more than a cache holds: most magazines go through the ring. */
export const RING_PAGES = 512;

export const ringRows: readonly Row[] = [
  {
    id: 'ring.pages',
    group: 'ring',
    name: `${RING_PAGES} pages taken, then given back, in bursts of ${BURST} on words()`,
    per: 'page',
    repeat: RING_PAGES,
    pool: MANY_PAGES,
    note: 'The same bursts as in the fast path, but more pages than a cache holds: what is more is the ring.',
    engine: (pool) => {
      const bursts = Array.from({ length: RING_PAGES / BURST }, () => pool.words(BURST));
      return () => {
        for (const handles of bursts) {
          pool.allocBurst(handles, BURST);
          readAll(handles, BURST);
        }
        for (const handles of bursts) pool.releaseBulk(handles, BURST);
      };
    },
  },
  {
    id: 'ring.single',
    group: 'ring',
    name: `${RING_PAGES} pages taken, then given back, one by one`,
    per: 'page',
    repeat: RING_PAGES,
    pool: MANY_PAGES,
    engine: (pool) => {
      const handles = new Uint32Array(RING_PAGES);
      return () => {
        for (let i = 0; i < RING_PAGES; i++) handles[i] = pool.alloc();
        for (let i = 0; i < RING_PAGES; i++) pool.release(handles[i] as number);
      };
    },
  },
];
