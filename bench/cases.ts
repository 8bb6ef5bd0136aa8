// What is measured: each case is one operation of the public interface, repeated `repeat` times a sample.
//
// A case gets a pool of its own and returns the function that is timed; what it did is undone by its end, so that every sample
// starts alike. The same cases run on both engines; nothing here knows which.

import type { PagePool, PoolOptions } from 'pagepool';

export interface Case {
  readonly name: string;
  /** Operations a sample: the result is divided by it. */
  readonly repeat: number;
  readonly options?: PoolOptions;
  prepare(pool: PagePool): () => void;
}

const REPEAT = 1024;
const BURST = 64;
const BATCH = 32;

/** Keeps results alive without cost. */
export const sink: { sum: number } = { sum: 0 };

/** Enough pages for magazines of 62: a burst of 64 stays in the cache. */
const manyPages: PoolOptions = { pageCount: 8192 };
const channelOptions: PoolOptions = { channels: { bench: { capacity: 256, batch: BATCH } } };

export const cases: readonly Case[] = [
  {
    name: 'alloc + release',
    repeat: REPEAT,
    prepare: (pool) => () => {
      for (let i = 0; i < REPEAT; i++) pool.release(pool.alloc());
    },
  },
  {
    name: `alloc + release, bursts of ${BURST}, a page`,
    repeat: REPEAT,
    options: manyPages,
    prepare: (pool) => {
      const handles = pool.words(BURST);
      return () => {
        for (let i = 0; i < REPEAT; i += BURST) {
          pool.allocBurst(handles, BURST);
          for (let k = 0; k < BURST; k++) sink.sum = (sink.sum + (handles[k] as number)) | 0;
          pool.releaseBulk(handles, BURST);
        }
      };
    },
  },
  {
    name: 'through the ring: 512 taken, 512 released, a page',
    repeat: 512,
    options: manyPages,
    prepare: (pool) => {
      const handles = pool.words(512);
      return () => {
        pool.allocBurst(handles, 512);
        pool.releaseBulk(handles, 512);
      };
    },
  },
  {
    name: 'allocFragment(256) + release',
    repeat: REPEAT,
    prepare: (pool) => () => {
      for (let i = 0; i < REPEAT; i++) pool.release(pool.allocFragment(256));
    },
  },
  {
    name: 'retain + release',
    repeat: REPEAT,
    prepare: (pool) => {
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
    name: 'channel send + receive, single',
    repeat: REPEAT,
    options: channelOptions,
    prepare: (pool) => {
      const channel = pool.channel('bench');
      const entry = pool.words(4);
      const handle = pool.alloc();
      return () => {
        for (let i = 0; i < REPEAT; i++) {
          channel.send(handle, 0, 64, i);
          channel.receiveBurst(entry, 1);
        }
      };
    },
  },
  {
    name: `channel bursts of ${BATCH}, an entry`,
    repeat: REPEAT,
    options: channelOptions,
    prepare: (pool) => {
      const channel = pool.channel('bench');
      const entries = pool.words(4 * BATCH);
      for (let i = 0; i < BATCH; i++) entries.set([pool.alloc(), 0, 64, i], 4 * i);
      return () => {
        for (let i = 0; i < REPEAT; i += BATCH) {
          channel.sendBurst(entries, BATCH);
          channel.receiveBurst(entries, BATCH);
        }
      };
    },
  },
];
