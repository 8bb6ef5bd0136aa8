// 03 slow path: pages that were never given out, pages that left circulation, and no page at all.

import { BURST, REPEAT, type Row, SMALL, sink } from './row.js';

const FRESH_PAGES = 65536;
/** Pages that go to the retired list and come back. */
const RETIRED_PAGES = 1024;

export const slowRows: readonly Row[] = [
  {
    id: 'slow.fresh',
    group: 'slow',
    name: `fresh pages, in bursts of ${BURST} on words()`,
    per: 'page',
    repeat: BURST * 16,
    pool: { pageCount: FRESH_PAGES, pageBytes: 256 },
    calls: FRESH_PAGES / (BURST * 16),
    note: 'Fresh pages: each is claimed once in its life; the growing of the memory and the first touch of its words are included.',
    engine: (pool) => {
      const handles = pool.words(BURST);
      return () => {
        for (let i = 0; i < 16; i++) sink.sum = (sink.sum + pool.allocBurst(handles, BURST)) & SMALL;
      };
    },
  },
  {
    id: 'slow.retired',
    group: 'slow',
    name: `${RETIRED_PAGES} pages from the retired list, released, and retired again by trim()`,
    per: 'page',
    repeat: RETIRED_PAGES,
    pool: { pageCount: RETIRED_PAGES },
    engine: (pool) => {
      const bursts = Array.from({ length: RETIRED_PAGES / BURST }, () => pool.words(BURST));
      return () => {
        for (const handles of bursts) pool.allocBurst(handles, BURST);
        for (const handles of bursts) pool.releaseBulk(handles, BURST);
        sink.sum = (sink.sum + pool.trim()) & SMALL;
      };
    },
  },
  {
    id: 'slow.empty',
    group: 'slow',
    name: 'alloc() on an empty pool',
    per: 'call',
    repeat: REPEAT,
    pool: { pageCount: 64 },
    engine: (pool) => {
      while (pool.alloc() !== 0);
      return () => {
        for (let i = 0; i < REPEAT; i++) sink.sum = (sink.sum + pool.alloc()) & SMALL;
      };
    },
  },
];
