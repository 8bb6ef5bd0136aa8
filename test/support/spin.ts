// Spinning on shared words, in workers and in the test's own thread: as fast as can be at first, and giving way after a
// while.
//
// With more threads than processors the other side may not run at all until this one sleeps.

import { HUNG_MS } from './waiting.js';

const LOOKS_BEFORE_SLEEP = 4096;
const SLEEP_MS = 0.05;

/** A word that nobody changes, to sleep on. */
const idle = new Int32Array(new SharedArrayBuffer(4));

/** Lets other threads run, now and then: `looks` counts how often this thread has looked in vain. */
export function giveWay(looks: number): void {
  if (looks % LOOKS_BEFORE_SLEEP === LOOKS_BEFORE_SLEEP - 1) Atomics.wait(idle, 0, 0, SLEEP_MS);
}

/** Spins until the word has the value; throws when it never has. */
export function spinUntil(words: Int32Array, index: number, value: number): void {
  const end = performance.now() + HUNG_MS;
  for (let looks = 0; Atomics.load(words, index) !== value; looks++) {
    giveWay(looks);
    if ((looks & 0xffff) !== 0xffff || performance.now() < end) continue;
    const seen = Atomics.load(words, index);
    throw new Error(`word ${index} is ${seen} (expected ${value}): the other thread hangs, or has ended`);
  }
}
