// 05 contention: what threads do to one pool at the same time.
//
// A case gives each thread its part: a step that does some operations and says how many. All threads start together;
// thread 0 ends the round. Reported is the time between two operations of all threads together: with twice the threads
// it halves at best.

import type { PagePool, PoolOptions } from 'pagepool';
import { BATCH, ENTRY_WORDS } from '../rows/row.js';
import { lookFor, nap } from '../threads/looking.js';

/** Does some operations; how many. */
export type Step = () => number;

export interface ContentionCase {
  readonly id: string;
  readonly name: string;
  readonly per: string;
  /** Threads at one time; the first of them may have a part of its own. */
  readonly threadCounts: readonly number[];
  /** How the row names them. */
  threadsName(threads: number): string;
  readonly note?: string;
  readonly pool: PoolOptions;
  prepare(pool: PagePool, index: number, threads: number): Step;
}

const ALL = [1, 2, 3, 4];
const plainly = (threads: number) => (threads === 1 ? '1 thread' : `${threads} threads`);
const POOL: PoolOptions = { pageCount: 8192, channels: { bench: { capacity: 1024, batch: BATCH } } };

/** A thread that waits must see the end of its round. */
const WAIT_MS = 1;
/** Looks at a full channel before the core is given away. */
const LOOKS = 1000;

/** More than a cache holds, so that most magazines go through the ring. */
const RECYCLED_PAGES = 256;

const recycle: ContentionCase = {
  id: 'recycle',
  name: `${RECYCLED_PAGES} pages taken and given back through the ring`,
  per: 'page',
  threadCounts: ALL,
  threadsName: plainly,
  pool: POOL,
  prepare: (pool) => {
    const handles = pool.words(RECYCLED_PAGES);
    return () => {
      const got = pool.allocBurst(handles, RECYCLED_PAGES);
      pool.releaseBulk(handles, got);
      return got;
    };
  },
};

const shared: ContentionCase = {
  id: 'shared',
  name: 'retain + release of one page that all hold',
  per: 'pair',
  threadCounts: ALL,
  threadsName: plainly,
  pool: POOL,
  prepare: (pool, index, threads) => {
    const handle = index === 0 ? pool.alloc() : receiveOne(pool);
    if (index === 0 && threads > 1) {
      pool.retain(handle, threads - 1);
      for (let i = 1; i < threads; i++) pool.channel('bench').send(handle, 0, 64);
    }
    return () => {
      for (let i = 0; i < 64; i++) {
        pool.retain(handle);
        pool.release(handle);
      }
      return 64;
    };
  },
};

function receiveOne(pool: PagePool): number {
  const entry = pool.words(ENTRY_WORDS);
  lookFor(() => pool.channel('bench').receiveBurst(entry, 1) === 1);
  return entry[0] as number;
}

/** Every thread sends and receives on one channel: what it receives may be another thread's. */
function channelOf(id: string, name: string, burst: number): ContentionCase {
  return {
    id,
    name,
    per: 'entry',
    threadCounts: ALL,
    threadsName: plainly,
    pool: POOL,
    prepare: (pool) => {
      const channel = pool.channel('bench');
      const entries = pool.words(burst * ENTRY_WORDS);
      let held = burst;
      for (let i = 0; i < burst; i++) entries.set([pool.alloc(), 0, 64, i], ENTRY_WORDS * i);
      return () => {
        let moved = 0;
        if (held > 0) {
          moved = channel.sendBurst(entries, held);
          if (moved < held) entries.copyWithin(0, moved * ENTRY_WORDS, held * ENTRY_WORDS);
          held -= moved;
        }
        if (held === 0) held = channel.receiveBurst(entries, burst);
        return moved;
      };
    },
  };
}

const returning: ContentionCase = {
  id: 'returning',
  name: 'pages taken by one thread, handed over in bursts of 32, given back by others',
  per: 'page',
  threadCounts: [2, 3, 4, 5],
  threadsName: (threads) => `${plainly(threads - 1)} returning`,
  note: 'Returning threads: one thread more takes the pages. They wait with waitSync(); it looks again while the channel is full.',
  pool: POOL,
  prepare: (pool, index) => {
    const channel = pool.channel('bench');
    const entries = pool.words(BATCH * ENTRY_WORDS);
    const handles = pool.words(BATCH);
    return index === 0 ? taking() : givingBack();

    function taking(): Step {
      let idle = 0;
      return () => {
        const got = pool.allocBurst(handles, BATCH);
        for (let i = 0, word = 0; i < got; i++, word += ENTRY_WORDS) {
          entries[word] = handles[i] as number;
          entries[word + 1] = 0;
          entries[word + 2] = 64;
        }
        const sent = channel.sendBurst(entries, got);
        if (sent < got) pool.releaseBulk(handles.subarray(sent), got - sent);
        idle = sent > 0 ? 0 : idle + 1;
        if (idle > LOOKS) nap();
        return sent;
      };
    }

    function givingBack(): Step {
      return () => {
        const came = channel.receiveBurst(entries, BATCH);
        for (let i = 0; i < came; i++) handles[i] = entries[ENTRY_WORDS * i] as number;
        pool.releaseBulk(handles, came);
        if (came === 0) channel.waitSync(WAIT_MS);
        return 0;
      };
    }
  },
};

export const contentionCases: readonly ContentionCase[] = [
  recycle,
  shared,
  channelOf('channel', 'send + receive on one channel, single', 1),
  channelOf('channel.burst', `send + receive on one channel, bursts of ${BATCH}`, BATCH),
  returning,
];

/** What all of it stands on: one word that every thread adds to. */
export const BASELINE = 'Atomics.add on one word';
/** The case that the baseline is shown beside. */
export const BASELINE_CASE = shared.id;

export function caseOf(id: string): ContentionCase {
  const found = contentionCases.find((item) => item.id === id);
  if (found === undefined) throw new Error(`id=${id} (expected a contention case)`);
  return found;
}
