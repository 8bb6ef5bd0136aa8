// 00 memory: n bytes to write on, their first byte written, given back. The other ways that a JavaScript thread has.
//
// What is not pooled is given back by dropping it, and the collector's work shows in p99 and in the collections. A new
// Uint8Array is filled with zeros; the others show what was there before.

import { MemPool } from '@thi.ng/malloc';
import { sizeName } from '../harness/format.js';
import { type Other, REPEAT, type Row, sink } from './row.js';

const SIZES = [256, 2048, 4096, 65536];

function others(bytes: number): Record<string, Other> {
  return {
    'Buffer.allocUnsafe': {
      where: 'node',
      prepare: () => () => {
        for (let i = 0; i < REPEAT; i++) {
          const buffer = Buffer.allocUnsafe(bytes);
          buffer[0] = i;
          sink.kept = buffer;
        }
      },
    },
    'new Uint8Array': {
      prepare: () => () => {
        for (let i = 0; i < REPEAT; i++) {
          const array = new Uint8Array(bytes);
          array[0] = i;
          sink.kept = array;
        }
      },
    },
    '@thi.ng/malloc': {
      prepare: () => {
        const memory = new MemPool({ buf: new SharedArrayBuffer(1 << 20) });
        const view = new Uint8Array(memory.buf);
        return () => {
          for (let i = 0; i < REPEAT; i++) {
            const address = memory.malloc(bytes);
            view[address] = i;
            memory.free(address);
          }
        };
      },
    },
    'typedarray-pool': {
      where: 'node',
      prepare: async () => {
        const { mallocUint8, freeUint8 } = (await import('typedarray-pool')).default;
        return () => {
          for (let i = 0; i < REPEAT; i++) {
            const array = mallocUint8(bytes);
            array[0] = i;
            freeUint8(array);
          }
        };
      },
    },
  };
}

export const memoryRows: readonly Row[] = SIZES.map((bytes) => ({
  id: `memory.${bytes}`,
  group: 'memory',
  name: `${sizeName(bytes)} taken, first byte written, given back`,
  per: 'pair',
  touches: 'one byte',
  note: 'The others serve one thread: none counts references, and what one thread took no other can give back.',
  repeat: REPEAT,
  pool: { pageBytes: bytes },
  isLong: bytes !== 2048,
  engine: (pool) => () => {
    for (let i = 0; i < REPEAT; i++) {
      const handle = pool.alloc();
      pool.bytes(handle)[0] = i;
      pool.release(handle);
    }
  },
  others: others(bytes),
}));
