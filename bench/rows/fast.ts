// 01 fast path: pages that come from the port's own cache and go back to it.

import { PagePool } from 'pagepool';
import { BURST, type EngineName, REPEAT, type Row, readAll, SMALL, sink } from './row.js';

/** Enough pages for magazines of 62: a burst of 64 stays in the cache. */
export const MANY_PAGES = { pageCount: 8192 };

/** Pages that a thread works on at one time, for a pool of which that is an eighth. */
const FEW = 8;

/** `REPEAT` pages in bursts on the array. */
function burstsOn(pool: PagePool, handles: Uint32Array): () => void {
  return () => {
    for (let i = 0; i < REPEAT; i += BURST) {
      pool.allocBurst(handles, BURST);
      readAll(handles, BURST);
      pool.releaseBulk(handles, BURST);
    }
  };
}

export const fastRows: readonly Row[] = [
  {
    id: 'fast.pair',
    group: 'fast',
    name: 'alloc + release',
    per: 'pair',
    repeat: REPEAT,
    note: 'DPDK rte_mempool hands out memory without a count; rte_pktmbuf is that and a reset of the buffer with its count.',
    natives: { 'DPDK rte_mempool': 'mempool', 'DPDK rte_pktmbuf': 'mbuf' },
    engine: (pool) => () => {
      for (let i = 0; i < REPEAT; i++) pool.release(pool.alloc());
    },
  },
  {
    id: 'fast.burst.words',
    group: 'fast',
    name: `bursts of ${BURST} on words()`,
    per: 'page',
    repeat: REPEAT,
    pool: MANY_PAGES,
    note: 'DPDK rte_mempool: as many gets and then as many puts, one at a time. Bulk: one call each way.',
    natives: { 'DPDK rte_mempool': 'mempool-held', 'DPDK rte_mempool, bulk': 'mempool-bulk' },
    engine: (pool) => burstsOn(pool, pool.words(BURST)),
  },
  {
    id: 'fast.burst.own',
    group: 'fast',
    name: `bursts of ${BURST} on an own Uint32Array`,
    per: 'page',
    repeat: REPEAT,
    pool: MANY_PAGES,
    engine: (pool) => burstsOn(pool, new Uint32Array(BURST)),
  },
  {
    id: 'fast.held',
    group: 'fast',
    name: 'alloc + release, 32 pages held meanwhile',
    per: 'pair',
    repeat: REPEAT,
    pool: MANY_PAGES,
    note: '32 pages held: each turn takes one page and gives the oldest of the 32 back, so that more than one page goes round.',
    engine: (pool) => {
      const held = Uint32Array.from({ length: 32 }, () => pool.alloc());
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          const slot = i & 31;
          pool.release(held[slot] as number);
          held[slot] = pool.alloc();
        }
      };
    },
  },
  {
    id: 'fast.pools',
    group: 'fast',
    name: 'alloc + release, two pools in turn',
    per: 'pair',
    repeat: REPEAT,
    note: 'Two pools: a thread with several pools pays for calls with several targets.',
    engine: (pool) => {
      const other = PagePool.createSync({ engine: pool.engine as EngineName });
      return () => {
        for (let i = 0; i < REPEAT; i += 2) {
          pool.release(pool.alloc());
          other.release(other.alloc());
        }
      };
    },
  },
  {
    id: 'fast.pools.four',
    group: 'fast',
    name: 'alloc + release, four pools in turn',
    per: 'pair',
    repeat: REPEAT,
    engine: (pool) => {
      const pools = [pool];
      while (pools.length < 4) pools.push(PagePool.createSync({ engine: pool.engine as EngineName }));
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          const one = pools[i & 3] as PagePool;
          one.release(one.alloc());
        }
      };
    },
  },
  ...[64, 4096].map(
    (pageCount): Row => ({
      id: `fast.few.${pageCount}`,
      group: 'fast',
      name: `${FEW} pages taken, then given back, of ${pageCount.toLocaleString('en')} with 16 ports`,
      per: 'page',
      repeat: REPEAT,
      pool: { pageCount, maxPorts: 16 },
      engine: (pool) => {
        const handles = new Uint32Array(FEW);
        return () => {
          for (let done = 0; done < REPEAT; done += FEW) {
            for (let i = 0; i < FEW; i++) handles[i] = pool.alloc();
            for (let i = 0; i < FEW; i++) pool.release(handles[i] as number);
          }
        };
      },
    }),
  ),
  {
    id: 'fast.object',
    group: 'fast',
    name: 'take() + bytes + release(), as objects',
    per: 'pair',
    repeat: REPEAT,
    engine: (pool) => () => {
      for (let i = 0; i < REPEAT; i++) {
        const fragment = pool.take();
        sink.sum = (sink.sum + (fragment?.bytes.length ?? 0)) & SMALL;
        fragment?.release();
      }
    },
  },
];
