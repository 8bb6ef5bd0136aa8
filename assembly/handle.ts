// Handles: from a number to its unit, page, fragment word and descriptor, and back.
//
//   handle: | generation (at most 14 bits) | unit |   unit = page << unitsPerPageShift | unit in the page, pages from 1
//
// Pure arithmetic on thread-local geometry; only `inspect` reads a shared word. No handle is 0, since pages start at 1.

import {
  DESCRIPTOR_SHIFT,
  ERR_FOREIGN_HANDLE,
  ERR_STALE_HANDLE,
  OK,
  WORD_GENERATION_SHIFT,
  WORD_HOLDERS_MASK,
} from './layout';
import { rload } from './atomic';
import {
  descriptors,
  extents,
  generationMask,
  generationSeed,
  unitBits,
  unitLimit,
  unitMask,
  unitsPerPageShift,
  words,
} from './context';

// @ts-ignore: decorator
@inline
export function unitOf(handle: u32): u32 {
  return handle & unitMask;
}

// @ts-ignore: decorator
@inline
export function pageOf(unit: u32): u32 {
  return unit >>> unitsPerPageShift;
}

// @ts-ignore: decorator
@inline
export function wordAddress(unit: u32): usize {
  return words + ((<usize>unit) << 2);
}

// @ts-ignore: decorator
@inline
export function extentAddress(unit: u32): usize {
  return extents + ((<usize>unit) << 1);
}

// @ts-ignore: decorator
@inline
export function descriptorAddress(page: u32): usize {
  return descriptors + ((<usize>page) << DESCRIPTOR_SHIFT);
}

/** The handle of the fragment that starts at the unit, by its word. */
// @ts-ignore: decorator
@inline
export function handleOf(unit: u32, word: u32): u32 {
  return (((word >>> WORD_GENERATION_SHIFT) ^ generationSeed) << unitBits) | unit;
}

/** The word after the fragment's last holder left: the next generation, nobody. */
// @ts-ignore: decorator
@inline
export function vacated(word: u32): u32 {
  return (((word >>> WORD_GENERATION_SHIFT) + 1) & generationMask) << WORD_GENERATION_SHIFT;
}

/** Whether the word belongs to the handle's generation and somebody holds it. */
// @ts-ignore: decorator
@inline
export function matches(handle: u32, word: u32): bool {
  return handle >>> unitBits == ((word >>> WORD_GENERATION_SHIFT) ^ generationSeed) && (word & WORD_HOLDERS_MASK) != 0;
}

/** OK, or what is wrong with the handle. Any thread; changes nothing. */
export function inspect(handle: u32): i32 {
  const unit = unitOf(handle);
  if (unit >= unitLimit) return ERR_FOREIGN_HANDLE;
  // N1 no ordering needed: the verdict on a live handle cannot change while the caller holds a reference.
  return matches(handle, rload(wordAddress(unit))) ? OK : ERR_STALE_HANDLE;
}
