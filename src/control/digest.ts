// A digest of words of the control region: one number that changes with any of them. Source: FNV-1a (Fowler, Noll, Vo),
// by words.
//
// Read plainly: a word that another thread writes meanwhile makes another digest, and that is what is asked.

import type { PoolMemory } from './memory.js';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The digest of the stretches from `start` to before `end`, bytes. */
export function digestOf({ i32 }: PoolMemory, stretches: Iterable<readonly [start: number, end: number]>): number {
  let hash = FNV_OFFSET;
  for (const [start, end] of stretches) {
    for (let i = start >>> 2; i < end >>> 2; i++) hash = Math.imul(hash ^ (i32[i] as number), FNV_PRIME);
  }
  return hash >>> 0;
}
