// Shapes of references: of several that let go of a page, one takes it home, and its next owner sees what all of them
// wrote.
//
// Store and load on both sides: each lowers the count and looks at what is left. If both saw the other's reference
// nobody would take the page home; if neither did, both would.

import type { FragmentToken } from 'pagepool';
import { jitter, mismatch, PLACES, type Side, stamp, until, untilWord } from './shape.js';

/** Words of the shapes: a turn's number each way, and what is told with it. */
const WORD = { turn: 0, answer: 1, first: 2, second: 3, third: 4 };
const OTHERS = 0x80000000;

/**
 * Two holders write a word each and release at once. Whoever gets the page next must find both words, and must get it
 * once: this side makes all pages, so a page that it still waits for may not come.
 */
const makeShared: Side = (context) => {
  const { pool, rounds, memory } = context;
  const channel = pool.channel('c');
  const forbidden: string[] = [];
  const [first, second, round] = PLACES as [number, number, number];
  const fresh = new Set<number>();
  for (let n = 1; n <= rounds && forbidden.length === 0; n++) {
    const handle = until(context, () => pool.alloc() || undefined);
    if (handle === undefined) break;
    const at = pool.offset(handle) >>> 2;
    if (fresh.has(at)) {
      const seen = [first, second, round].map((place) => memory[at + place]);
      if (seen[0] !== seen[2] || seen[1] !== seen[2]) {
        forbidden.push(
          `round ${n}: the page comes back with ${seen} (expected what both holders wrote, the round's number)`,
        );
      }
    }
    fresh.add(at);
    memory[at + first] = 0;
    memory[at + second] = 0;
    memory[at + round] = n;
    pool.retain(handle);
    if (until(context, () => channel.send(handle, 0, 4, n) || undefined) === undefined) break;
    jitter(context, 40);
    memory[at + first] = n;
    pool.release(handle);
  }
  return { forbidden, counts: {} };
};

const releaseShared: Side = (context) => {
  const { pool, rounds, memory } = context;
  const channel = pool.channel('c');
  const entries = pool.words(4);
  const forbidden: string[] = [];
  const second = PLACES[1] as number;
  for (let n = 1; n <= rounds; n++) {
    if (until(context, () => channel.receiveBurst(entries, 1) || undefined) === undefined) break;
    const [handle = 0] = entries;
    jitter(context, 40);
    memory[(pool.offset(handle) >>> 2) + second] = n;
    pool.release(handle);
  }
  return { forbidden, counts: {} };
};

/**
 * Both sides hold the same fragment for good, and raise and lower its references at the same time, while they use up
 * and stamp all other pages. Forbidden: the fragment's bytes change, for then somebody was given its page.
 */
const raiseAndLower: Side = (context) => {
  const { pool, rounds, memory, random, side } = context;
  const channel = pool.channel('c');
  let handle = 0;
  if (side === 0) {
    handle = pool.allocFragment(512);
    stamp(memory, pool.offset(handle) >>> 2, 1);
    pool.retain(handle);
    channel.send(handle, 0, 4, 1);
  } else {
    handle = until(context, () => channel.receive()?.handle) ?? 0;
  }
  const forbidden: string[] = [];
  const at = pool.offset(handle) >>> 2;
  for (let n = 0; n < rounds && forbidden.length === 0 && !context.isStopped(); n++) {
    const more = 1 + random(3);
    pool.retain(handle, more);
    if (random(4) === 0) {
      const other = pool.alloc();
      if (other !== 0) stamp(memory, pool.offset(other) >>> 2, OTHERS + n);
      if (other !== 0) pool.release(other);
    }
    for (let i = 0; i < more; i++) pool.release(handle);
    const seen = mismatch(memory, at, 1);
    if (seen !== undefined) forbidden.push(`round ${n}: the bytes of a fragment that is held became ${seen}`);
    if (pool.refCount(handle) < 2 && Atomics.load(context.words, WORD.answer) === 0) {
      forbidden.push(`round ${n}: ${pool.refCount(handle)} references (expected 2 or more: each side has one)`);
    }
  }
  Atomics.store(context.words, WORD.answer, 1);
  pool.release(handle);
  return { forbidden, counts: {} };
};

/**
 * A page whose last reference and whose pin go at the same time. Forbidden: what the pin's holder reads changes before
 * its unpin; the unpin is refused. The side that has the reference uses up all pages meanwhile.
 */
const releasePinned: Side = (context) => {
  const { pool, rounds, memory, words } = context;
  const handles = pool.words(16);
  for (let n = 1; n <= rounds; n++) {
    const handle = until(context, () => pool.alloc() || undefined);
    if (handle === undefined) break;
    const offset = pool.offset(handle);
    stamp(memory, offset >>> 2, n);
    Atomics.store(words, WORD.first, pool.pin(handle));
    Atomics.store(words, WORD.second, offset >>> 2);
    Atomics.store(words, WORD.turn, n);
    jitter(context, 60);
    pool.release(handle);
    const count = pool.allocBurst(handles, 16);
    for (let i = 0; i < count; i++) stamp(memory, pool.offset(handles[i] as number) >>> 2, OTHERS + n);
    pool.releaseBulk(handles, count);
    if (!untilWord(context, WORD.answer, n)) break;
  }
  return { forbidden: [], counts: {} };
};

const unpin: Side = (context) => {
  const { pool, rounds, memory, words } = context;
  const forbidden: string[] = [];
  for (let n = 1; n <= rounds && forbidden.length === 0; n++) {
    if (!untilWord(context, WORD.turn, n)) break;
    const at = Atomics.load(words, WORD.second);
    jitter(context, 120);
    const seen = mismatch(memory, at, n);
    if (seen !== undefined) forbidden.push(`round ${n}: a pinned page became ${seen}`);
    pool.unpin(Atomics.load(words, WORD.first));
    Atomics.store(words, WORD.answer, n);
  }
  return { forbidden, counts: {} };
};

/** A token that both sides adopt: one wins, and finds what was lent. Forbidden: both win, neither does, other bytes. */
function adopt(isLender: boolean): Side {
  return (context) => {
    const { pool, rounds, memory, words, side } = context;
    const identity = pool.share().identity.join('.');
    const forbidden: string[] = [];
    let won = 0;
    for (let n = 1; n <= rounds && forbidden.length === 0; n++) {
      if (isLender) {
        const handle = until(context, () => pool.alloc() || undefined);
        if (handle === undefined) break;
        stamp(memory, pool.offset(handle) >>> 2, n);
        const { index, sequence } = pool.fragment(handle, n % 7, n % 5).lend();
        Atomics.store(words, WORD.first, index);
        Atomics.store(words, WORD.second, sequence);
        Atomics.store(words, WORD.turn, n);
      } else if (!untilWord(context, WORD.turn, n)) break;
      jitter(context, 60);
      const [index, sequence] = [Atomics.load(words, WORD.first), Atomics.load(words, WORD.second)];
      const token: FragmentToken = { kind: 'pagepool-fragment', identity, index, sequence };
      try {
        const { handle, offset, length } = pool.adopt(token);
        won++;
        const seen = mismatch(memory, pool.offset(handle) >>> 2, n);
        if (seen !== undefined || offset !== n % 7 || length !== n % 5) {
          forbidden.push(`round ${n}: side ${side} adopted ${handle}, ${offset}, ${length} with ${seen ?? n}`);
        }
        pool.release(handle);
      } catch (error) {
        if ((error as { code?: string }).code !== 'POOL_ERR_TOKEN_SPENT') throw error;
      }
      if (!isLender) Atomics.store(words, WORD.answer, n);
      else if (!untilWord(context, WORD.answer, n)) break;
    }
    return { forbidden, counts: { won } };
  };
}

export const references: Readonly<Record<string, readonly Side[]>> = {
  'last release': [makeShared, releaseShared],
  retain: [raiseAndLower, raiseAndLower],
  pins: [releasePinned, unpin],
  tokens: [adopt(true), adopt(false)],
};
