// Which workers a port's thread watches, by the words of the port: for whoever reaps it.
//
// Node ends the workers of a thread before the thread itself. So when a watcher is dead, what it watched is dead, too,
// and nobody else may know of it. The words are marks of thread numbers and not the numbers: a stray write of a
// small number must not name a thread that lives. The port's own thread writes them, and its reaper clears them.

import { CLAIM_FREE, CLAIM_STATE_MASK, PORT_WATCHED_COUNT, PORT_WATCHED_OFFSET } from '../../assembly/layout.js';
import { claimOf, type Seat, type SharedWords, threadOf } from './claims.js';
import { portOffset } from './places.js';

const MARK = 0x9e3779b1;

function markOf(threadWord: number): number {
  return (Math.imul(threadWord, MARK) ^ MARK) >>> 0;
}

function wordsOf({ memory, geometry }: SharedWords, id: number): Uint32Array {
  const start = (portOffset(geometry, id) + PORT_WATCHED_OFFSET) >>> 2;
  return memory.u32.subarray(start, start + PORT_WATCHED_COUNT);
}

/** Notes that this thread watches the one of that number; false where there is no room: nobody inherits that watch. */
export function noteWatched(seat: Seat, thread: number): boolean {
  const words = wordsOf(seat, seat.id);
  const mark = markOf(thread + 1);
  const at = words.indexOf(mark) >= 0 ? words.indexOf(mark) : words.indexOf(0);
  if (at >= 0) words[at] = mark;
  return at >= 0;
}

/** Takes that note back. */
export function forgetWatched(seat: Seat, thread: number): void {
  const words = wordsOf(seat, seat.id);
  const at = words.indexOf(markOf(thread + 1));
  if (at >= 0) words[at] = 0;
}

/** This thread watches nobody any more. */
export function clearWatched(words: SharedWords, id: number): void {
  wordsOf(words, id).fill(0);
}

/** The marks of the workers that a dead port's thread watched. */
export function watchedBy(words: SharedWords, id: number): number[] {
  return Array.from(wordsOf(words, id)).filter((mark) => mark !== 0);
}

/** The numbers of the threads that have a port and whose mark is among these. */
export function threadsMarked(words: SharedWords, marks: readonly number[]): number[] {
  const { memory, geometry } = words;
  const threads = new Set<number>();
  for (let id = 0; id < geometry.maxPorts; id++) {
    const claim = claimOf(memory, geometry, id);
    if ((claim & CLAIM_STATE_MASK) === CLAIM_FREE) continue;
    const word = threadOf(memory, geometry, id, claim);
    if (word !== 0 && marks.includes(markOf(word))) threads.add(word - 1);
  }
  return [...threads];
}
