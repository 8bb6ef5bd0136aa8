// What a row of one thread is: an operation of the public interface, and what it is compared with.
//
// A row's variants do the same work, each in a thread of its own: what the compiler learns from one must not help or
// hurt another. A timed function repeats its operation `repeat` times and leaves everything as it found it, so that
// every sample starts alike.

import type { PagePool } from 'pagepool';
import 'pagepool/providers';
import 'pagepool/typescript';
import type { RowInfo } from '../harness/results.js';

/** Prepares a variant and returns what is timed. */
export type Prepare = (pool: PagePool) => Timed | Promise<Timed>;
export type Timed = () => void | Promise<void>;

/** Something that pagepool is compared with, or a baseline. */
export interface Other {
  prepare(): Timed | Promise<Timed>;
  /** Where it runs; everywhere if not given. */
  readonly where?: 'node';
}

export interface Row extends RowInfo {
  /** Operations of one call of the timed function. */
  readonly repeat: number;
  /** Both engines of pagepool. */
  readonly engine?: Prepare;
  readonly others?: Readonly<Record<string, Other>>;
  /** Cases of the native program (bench/native/) that do the same, by the names that they are shown with. */
  readonly natives?: Readonly<Record<string, string>>;
  /** Threads that are attached to the pool and idle. */
  readonly attached?: number;
  /** The operation uses its pool up: so many calls a round, each round on a new pool. */
  readonly calls?: number;
  /** The timed function returns a promise; collections are not counted. */
  readonly isAsync?: boolean;
  /** Left out of quick runs. */
  readonly isLong?: boolean;
  /** Operations that collections are counted over; by time if not given. */
  readonly garbageOperations?: number;
}

/** Operations of one sample, where nothing else decides. */
export const REPEAT = 1024;
/** Pages of a burst of pages. */
export const BURST = 64;
/** Entries of a burst through a channel. */
export const BATCH = 32;
/** Words of a channel's entry: handle, offset, length, tag. */
export const ENTRY_WORDS = 4;

/** The engines that a row may ask for; importing this file loads both. */
export const ENGINES = ['wasm', 'typescript'] as const;
export type EngineName = (typeof ENGINES)[number];

/** Sums stay below 2^30, which every engine keeps unboxed in an object. */
export const SMALL = 0x3fffffff;

/** Keeps results alive without cost. */
export const sink: { sum: number; kept: unknown } = { sum: 0, kept: null };

/** Reads what a burst brought, as every user does. */
export function readAll(words: Uint32Array, count: number): void {
  let sum = sink.sum;
  for (let i = 0; i < count; i++) sum = (sum + (words[i] as number)) & SMALL;
  sink.sum = sum;
}
