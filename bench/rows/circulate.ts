// Brings every page of a pool into circulation: what a pool looks like after it has run for a while.

import type { PagePool } from 'pagepool';
import { BURST } from './row.js';

/** Where shuffled orders begin: the same in every run. */
const SEED = 0x9e3779b9;

/** Takes every page once, writes on it, and releases them in the order they came, or shuffled. */
export function circulate(pool: PagePool, order: 'in order' | 'shuffled'): void {
  const all = new Uint32Array(pool.pageCount);
  takeAll(pool, all, pool.words(BURST));
  // The first touch of memory is the system's work, and is not what these rows measure.
  for (const handle of all) pool.area(handle)[pool.offset(handle)] = 1;
  if (order === 'shuffled') shuffle(all);
  for (const handle of all) pool.release(handle);
}

/** Every page of the pool, in bursts on `words`. */
export function takeAll(pool: PagePool, all: Uint32Array, words: Uint32Array): void {
  for (let at = 0; at < all.length; ) {
    const count = pool.allocBurst(words, Math.min(BURST, all.length - at));
    if (count === 0) throw new Error(`allocBurst=0 (expected ${all.length} pages, ${at} came)`);
    for (let i = 0; i < count; i++) all[at + i] = words[i] as number;
    at += count;
  }
}

/** Gives them back, in bursts on `words`. */
export function releaseAll(pool: PagePool, all: Uint32Array, words: Uint32Array): void {
  for (let at = 0; at < all.length; at += BURST) {
    const count = Math.min(BURST, all.length - at);
    for (let i = 0; i < count; i++) words[i] = all[at + i] as number;
    pool.releaseBulk(words, count);
  }
}

/** Fisher and Yates with the xorshift of Marsaglia. */
function shuffle(values: Uint32Array): void {
  let state = SEED;
  for (let i = values.length - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (i + 1);
    const value = values[i] as number;
    values[i] = values[other] as number;
    values[other] = value;
  }
}
