// 07 cost against size: the same operations on pools of a thousand to a million pages.
//
// Every page has been in circulation before. `maxPorts` is 2, so that magazines have 62 pages at every size, and a unit
// is a page, where the default unit grows with the pool: the number of pages is all that changes.

import type { PagePool, PoolOptions } from 'pagepool';
import { circulate, releaseAll, takeAll } from './circulate.js';
import { RING_PAGES } from './ring.js';
import { BURST, type Prepare, REPEAT, type Row, readAll } from './row.js';

const PAGE_COUNTS = [1_000, 10_000, 100_000, 1_000_000];
const poolOf = (pageCount: number): PoolOptions => ({ pageCount, pageBytes: 1024, unitBytes: 1024, maxPorts: 2 });

/** The memory as words, when it has grown to its end. */
export function wordsOf(pool: PagePool): Uint32Array {
  const handle = pool.alloc();
  const words = new Uint32Array(pool.area(handle).buffer);
  pool.release(handle);
  return words;
}

const hit: Prepare = (pool) => {
  circulate(pool, 'in order');
  return () => {
    for (let i = 0; i < REPEAT; i++) pool.release(pool.alloc());
  };
};

/** 512 pages through the ring: over many samples every page of the pool comes by. */
export const throughRing =
  (isStamped: boolean): Prepare =>
  (pool) => {
    circulate(pool, 'in order');
    const memory = wordsOf(pool);
    const bursts = Array.from({ length: RING_PAGES / BURST }, () => pool.words(BURST));
    return () => {
      for (const handles of bursts) {
        pool.allocBurst(handles, BURST);
        if (isStamped) stamp(pool, memory, handles);
        else readAll(handles, BURST);
      }
      for (const handles of bursts) pool.releaseBulk(handles, BURST);
    };
  };

function stamp(pool: PagePool, memory: Uint32Array, handles: Uint32Array): void {
  for (let i = 0; i < handles.length; i++) {
    const handle = handles[i] as number;
    memory[pool.offset(handle) >>> 2] = handle;
  }
}

/** All pages taken, then all given back: nothing of the pool is left out of the working set. */
const churn =
  (order: 'in order' | 'shuffled', isStamped: boolean): Prepare =>
  (pool) => {
    circulate(pool, order);
    const memory = wordsOf(pool);
    const all = new Uint32Array(pool.pageCount);
    const words = pool.words(BURST);
    return () => {
      takeAll(pool, all, words);
      if (isStamped) stamp(pool, memory, all);
      releaseAll(pool, all, words);
    };
  };

interface Series {
  readonly id: string;
  readonly name: string;
  readonly repeat: (pageCount: number) => number;
  readonly touches?: 'one word a page';
  readonly prepare: Prepare;
}

const seriesOf: readonly Series[] = [
  { id: 'hit', name: 'alloc + release, the same page', repeat: () => REPEAT, prepare: hit },
  { id: 'ring', name: `${RING_PAGES} pages through the ring`, repeat: () => RING_PAGES, prepare: throughRing(false) },
  {
    id: 'ring.stamped',
    name: `${RING_PAGES} pages through the ring, one word of each written`,
    repeat: () => RING_PAGES,
    touches: 'one word a page',
    prepare: throughRing(true),
  },
  { id: 'churn', name: 'all pages, in order', repeat: (pages) => pages, prepare: churn('in order', false) },
  { id: 'churn.shuffled', name: 'all pages, shuffled', repeat: (pages) => pages, prepare: churn('shuffled', false) },
  {
    id: 'churn.stamped',
    name: 'all pages, shuffled, one word of each written',
    repeat: (pages) => pages,
    touches: 'one word a page',
    prepare: churn('shuffled', true),
  },
];

export const pageRows: readonly Row[] = seriesOf.flatMap(({ id, name, repeat, touches, prepare }) =>
  PAGE_COUNTS.map(
    (pageCount): Row => ({
      id: `pages.${id}.${pageCount}`,
      group: 'pages',
      name: `${name}: ${pageCount.toLocaleString('en')} pages`,
      per: 'page',
      place: { series: name, value: pageCount },
      repeat: repeat(pageCount),
      pool: poolOf(pageCount),
      isLong: pageCount > 1000,
      engine: prepare,
      ...(touches === undefined ? {} : { touches }),
    }),
  ),
);
