// Providers: the same work on pages in the pool's own Wasm memory and on pages in slabs. One line of options apart.

import type { PagePool } from 'pagepool';
import { REPEAT, type Row, SMALL, sink } from './row.js';

type Work = (pool: PagePool) => () => void;

const WORKS: readonly (readonly [id: string, name: string, work: Work, touches?: 'one byte'])[] = [
  [
    'pair',
    'alloc + release',
    (pool) => () => {
      for (let i = 0; i < REPEAT; i++) pool.release(pool.alloc());
    },
  ],
  [
    'bytes',
    'alloc + bytes() + release',
    (pool) => () => {
      for (let i = 0; i < REPEAT; i++) {
        const handle = pool.alloc();
        pool.bytes(handle)[0] = i;
        pool.release(handle);
      }
    },
    'one byte',
  ],
  [
    'area',
    'alloc + area() and offset() + release',
    (pool) => () => {
      for (let i = 0; i < REPEAT; i++) {
        const handle = pool.alloc();
        pool.area(handle)[pool.offset(handle)] = i;
        pool.release(handle);
      }
    },
    'one byte',
  ],
  [
    'offset',
    'area() and offset() alone',
    (pool) => {
      const handle = pool.alloc();
      return () => {
        for (let i = 0; i < REPEAT; i++) sink.sum = (sink.sum + pool.area(handle).length + pool.offset(handle)) & SMALL;
      };
    },
  ],
];

export const providerRows: readonly Row[] = (['wasm-memory', 'slab'] as const).flatMap((provider) =>
  WORKS.map(([id, name, work, touches]) => ({
    id: `provider.${provider}.${id}`,
    group: 'provider' as const,
    name: `${name}, ${provider}`,
    per: 'pair',
    repeat: REPEAT,
    pool: { provider },
    ...(touches === undefined ? {} : { touches }),
    engine: work,
  })),
);
