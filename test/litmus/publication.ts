// Shapes of publication: what is written before a page or a reference is given away is there for whoever gets it.
//
// Message passing, with the pool as the flag: content by plain stores, then release or send; alloc or receive, then
// plain loads.

import type { Channel } from 'pagepool';
import { type Context, mismatch, PLACES, type Seen, type Side, STAMPED_BYTES, stamp, until } from './shape.js';

const ENTRY_WORDS = 4;
const AT_ONCE = 4;

/**
 * Takes pages, more than a cache keeps, adds 1 to all places of each, gives them back. Forbidden: places that differ,
 * and a value below one that this thread has left there. What was missed otherwise shows in the sum over all pages.
 */
const own: Side = (context) => {
  const { pool, rounds, memory } = context;
  const held = new Uint32Array(AT_ONCE);
  const left = new Map<number, number>();
  const forbidden: string[] = [];
  let owned = 0;
  while (owned < rounds && forbidden.length === 0 && !context.isStopped()) {
    let count = 0;
    for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) {
      held[count++] = handle;
      if (count === AT_ONCE) break;
    }
    for (let i = 0; i < count; i++) {
      const first = pool.offset(held[i] as number) >>> 2;
      const value = memory[first] as number;
      const seen = mismatch(memory, first, value);
      if (seen !== undefined) forbidden.push(`page at word ${first}: its last owner left ${seen} (expected one value)`);
      if (value < (left.get(first) ?? 0)) forbidden.push(`page at word ${first}: ${value} after ${left.get(first)}`);
      stamp(memory, first, value + 1);
      left.set(first, value + 1);
      owned++;
    }
    for (let i = 0; i < count; i++) pool.release(held[i] as number);
    if (owned % 512 < AT_ONCE) pool.trim();
  }
  return { forbidden, counts: { owned } };
};

/** Sends stamped fragments, as many at once as `most`; what has no room is tried again. */
function send(most: number): Side {
  return (context) => {
    const { pool, rounds, memory, random } = context;
    const channel = pool.channel('c');
    const entries = pool.words(ENTRY_WORDS * most);
    let tag = 0;
    let isOver = false;
    while (tag < rounds && !isOver) {
      const count = Math.min(1 + random(most), rounds - tag);
      for (let i = 0; i < count && !isOver; i++) {
        const handle = until(context, () => take(context) || undefined);
        isOver = handle === undefined;
        if (handle === undefined) break;
        tag++;
        stamp(memory, pool.offset(handle) >>> 2, tag);
        entries.set([handle, 0, STAMPED_BYTES, tag], ENTRY_WORDS * i);
      }
      if (!isOver) isOver = !sendAll(context, channel, entries, count);
    }
    return { forbidden: [], counts: { sent: tag } };
  };
}

/** A whole page, or a fragment. */
function take({ pool, random }: Context): number {
  return random(2) === 0 ? pool.alloc() : pool.allocFragment(STAMPED_BYTES);
}

function sendAll(context: Context, channel: Channel, entries: Uint32Array, count: number): boolean {
  for (let done = 0; done < count; ) {
    const went = until(context, () => {
      if (count - done > 1) return channel.sendBurst(entries.subarray(ENTRY_WORDS * done), count - done) || undefined;
      const [handle = 0, offset = 0, length = 0, tag = 0] = entries.subarray(
        ENTRY_WORDS * done,
        ENTRY_WORDS * (done + 1),
      );
      return channel.send(handle, offset, length, tag) ? 1 : undefined;
    });
    if (went === undefined) return false;
    done += went;
  }
  return true;
}

/**
 * Receives, up to `most` at once. Forbidden: places that are not what the tag says, tags that go back, and tags that
 * are left out where nothing is dropped.
 */
function receive(most: number, isDropping = false): Side {
  return (context) => {
    const { pool, rounds, memory, random } = context;
    const channel = pool.channel('c');
    const entries = pool.words(ENTRY_WORDS * most);
    const forbidden: string[] = [];
    let [last, received] = [0, 0];
    // The last one sent is never dropped: nothing comes after it.
    while (last < rounds && forbidden.length === 0) {
      const came = until(context, () => channel.receiveBurst(entries, 1 + random(most)) || undefined);
      if (came === undefined) break;
      for (let i = 0; i < came; i++) {
        const handle = entries[ENTRY_WORDS * i] as number;
        const tag = entries[ENTRY_WORDS * i + 3] as number;
        if (isDropping ? tag <= last : tag !== last + 1) forbidden.push(`entry ${tag} came after entry ${last}`);
        const seen = mismatch(memory, pool.offset(handle) >>> 2, tag);
        if (seen !== undefined)
          forbidden.push(`entry ${tag}: its words are ${seen} (expected ${PLACES.map(() => tag)})`);
        last = tag;
        received++;
        pool.release(handle);
      }
    }
    return { forbidden, counts: { received } } satisfies Seen;
  };
}

export const publication: Readonly<Record<string, readonly Side[]>> = {
  ring: [own, own],
  single: [send(1), receive(1)],
  burst: [send(32), receive(32)],
  'drop-oldest': [send(3), receive(2, true)],
};
