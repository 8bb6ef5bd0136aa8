// 04 fragments: parts of pages, further references, pins, and references on their way.

import { MemPool } from '@thi.ng/malloc';
import { type Other, REPEAT, type Row, sink } from './row.js';

const BYTES = 256;
/** Fragments that live at one time: a page of 4 KiB holds 16, so the oldest is always on an earlier page. */
const LIVING = 64;

const mallocAlone: Other = {
  prepare: () => {
    const memory = new MemPool({ buf: new SharedArrayBuffer(1 << 20) });
    return () => {
      for (let i = 0; i < REPEAT; i++) memory.free(memory.malloc(BYTES));
    };
  },
};

const mallocAmongOthers: Other = {
  prepare: () => {
    const memory = new MemPool({ buf: new SharedArrayBuffer(1 << 20) });
    const living = Array.from({ length: LIVING }, () => memory.malloc(BYTES));
    return () => {
      for (let i = 0; i < REPEAT; i++) {
        const slot = i % LIVING;
        memory.free(living[slot] as number);
        living[slot] = memory.malloc(BYTES);
      }
    };
  },
};

export const fragmentRows: readonly Row[] = [
  {
    id: 'fragment.alone',
    group: 'fragment',
    name: `allocFragment(${BYTES}) + release`,
    per: 'pair',
    repeat: REPEAT,
    engine: (pool) => () => {
      for (let i = 0; i < REPEAT; i++) pool.release(pool.allocFragment(BYTES));
    },
    others: { '@thi.ng/malloc': mallocAlone },
  },
  {
    id: 'fragment.living',
    group: 'fragment',
    name: `allocFragment(${BYTES}) + release, the oldest of ${LIVING} that live`,
    per: 'pair',
    repeat: REPEAT,
    engine: (pool) => {
      const living = Uint32Array.from({ length: LIVING }, () => pool.allocFragment(BYTES));
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          const slot = i % LIVING;
          pool.release(living[slot] as number);
          living[slot] = pool.allocFragment(BYTES);
        }
      };
    },
    others: { '@thi.ng/malloc': mallocAmongOthers },
  },
  {
    id: 'fragment.bytes',
    group: 'fragment',
    name: `allocFragment(${BYTES}) + bytes() + release`,
    per: 'pair',
    touches: 'one byte',
    repeat: REPEAT,
    note: 'bytes() of a fragment makes a view by each call; of a whole page it is made once.',
    engine: (pool) => () => {
      for (let i = 0; i < REPEAT; i++) {
        const handle = pool.allocFragment(BYTES);
        pool.bytes(handle)[0] = i;
        pool.release(handle);
      }
    },
  },
  {
    id: 'fragment.area',
    group: 'fragment',
    name: `allocFragment(${BYTES}) + area() and offset() + release`,
    per: 'pair',
    touches: 'one byte',
    repeat: REPEAT,
    engine: (pool) => () => {
      for (let i = 0; i < REPEAT; i++) {
        const handle = pool.allocFragment(BYTES);
        pool.area(handle)[pool.offset(handle)] = i;
        pool.release(handle);
      }
    },
  },
  {
    id: 'fragment.retain',
    group: 'fragment',
    name: 'retain + release of a page',
    per: 'pair',
    repeat: REPEAT,
    engine: (pool) => {
      const handle = pool.alloc();
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          pool.retain(handle);
          pool.release(handle);
        }
      };
    },
  },
  {
    id: 'fragment.pin',
    group: 'fragment',
    name: 'pin + unpin of a page',
    per: 'pair',
    repeat: REPEAT,
    engine: (pool) => {
      const handle = pool.alloc();
      return () => {
        for (let i = 0; i < REPEAT; i++) pool.unpin(pool.pin(handle));
      };
    },
  },
  {
    id: 'fragment.lend',
    group: 'fragment',
    name: 'lend + adopt of a page, as objects',
    per: 'pair',
    repeat: REPEAT,
    engine: (pool) => {
      let fragment = pool.take();
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          const token = fragment?.lend();
          if (token !== undefined) fragment = pool.adopt(token);
        }
        sink.kept = fragment;
      };
    },
  },
];
