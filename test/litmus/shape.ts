// What a litmus shape is made of: sides that run in threads of their own, what they are given, and what they saw.
//
// A side does its part of the shape again and again and says which forbidden outcomes it saw. Between the sides there
// is the pool, and nothing else where the shape is about what the pool orders: what they say to each other beside it is
// in `words`.

import type { PagePool } from 'pagepool';
import { giveWay } from '../support/spin.js';

/** What a side is given. */
export interface Context {
  readonly pool: PagePool;
  /** Its number among the sides. */
  readonly side: number;
  readonly rounds: number;
  /** The shape's own shared words, all 0 at first. */
  readonly words: Int32Array;
  /** All of the pool's pages as words. */
  readonly memory: Uint32Array;
  /** An integer below the limit. */
  random(limit: number): number;
  /** Whether some side failed: the others stop. Looks now and then. */
  isStopped(): boolean;
}

/** What a side saw. */
export interface Seen {
  /** Outcomes that may not be, the first few, each with what was read. */
  readonly forbidden: string[];
  /** What the test adds up and compares. */
  readonly counts: Readonly<Record<string, number>>;
}

/** One thread's part. */
export type Side = (context: Context) => Seen | Promise<Seen>;

/** Words of a fragment that are written and read, far enough apart to lie in different cache lines. */
export const PLACES: readonly number[] = [0, 17, 34, 51, 127];
/** Bytes of a fragment with all places. */
export const STAMPED_BYTES = 512;

/** Writes the value to all places of the fragment, plainly. */
export function stamp(memory: Uint32Array, first: number, value: number): void {
  for (let i = 0; i < PLACES.length; i++) memory[first + (PLACES[i] as number)] = value;
}

/** What stands at the places, if it is not the value everywhere. */
export function mismatch(memory: Uint32Array, first: number, value: number): number[] | undefined {
  for (let i = 0; i < PLACES.length; i++) {
    if (memory[first + (PLACES[i] as number)] !== value) return PLACES.map((place) => memory[first + place] as number);
  }
  return undefined;
}

/** A pause of random length, so that sides meet at every point of each other's steps. */
export function jitter({ random, words }: Context, limit: number): void {
  for (let spins = random(limit); spins > 0; spins--) Atomics.load(words, words.length - 1);
}

/** Tries again until there is a result; undefined when another side failed. */
export function until<T>({ isStopped }: Context, attempt: () => T | undefined): T | undefined {
  for (let looks = 0; ; looks++) {
    const result = attempt();
    if (result !== undefined) return result;
    if (isStopped()) return undefined;
    giveWay(looks);
  }
}

/** Waits for one of the shape's words. False when another side failed. */
export function untilWord(context: Context, index: number, value: number): boolean {
  return until(context, () => Atomics.load(context.words, index) === value || undefined) === true;
}
