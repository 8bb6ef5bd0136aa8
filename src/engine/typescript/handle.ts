// Handles: from a number to its unit, page, fragment word and descriptor, and back.
//
//   handle: | generation (at most 14 bits) | unit |   unit = page << unitsPerPageShift | unit in the page, pages from 1
//
// Pure arithmetic on the port's geometry; only `inspect` reads a shared word. No handle is 0, since pages start at 1.

import {
  DESCRIPTOR_SHIFT,
  ERR_FOREIGN_HANDLE,
  ERR_STALE_HANDLE,
  OK,
  WORD_GENERATION_SHIFT,
  WORD_HOLDERS_MASK,
} from '../../../assembly/layout.js';
import { StatsSteps } from './stats.js';

/** Handles and what they stand for. */
export class HandleSteps extends StatsSteps {
  protected unitOf(handle: number): number {
    return handle & this.unitMask;
  }

  protected pageOf(unit: number): number {
    return unit >>> this.unitsPerPageShift;
  }

  protected wordAddress(unit: number): number {
    return (this.words + (unit << 2)) | 0;
  }

  protected extentAddress(unit: number): number {
    return (this.extents + (unit << 1)) | 0;
  }

  protected descriptorAddress(page: number): number {
    return (this.descriptors + (page << DESCRIPTOR_SHIFT)) | 0;
  }

  /** The handle of the fragment that starts at the unit, by its word. */
  protected handleOf(unit: number, word: number): number {
    const { generationSeed, unitBits } = this;
    return (((word >>> WORD_GENERATION_SHIFT) ^ generationSeed) << unitBits) | unit;
  }

  /** The word after the fragment's last holder left: the next generation, nobody. */
  protected vacated(word: number): number {
    return (((word >>> WORD_GENERATION_SHIFT) + 1) & this.generationMask) << WORD_GENERATION_SHIFT;
  }

  /** Whether the word belongs to the handle's generation and somebody holds it. */
  protected matches(handle: number, word: number): boolean {
    const { generationSeed, unitBits } = this;
    return (
      handle >>> unitBits === ((word >>> WORD_GENERATION_SHIFT) ^ generationSeed) && (word & WORD_HOLDERS_MASK) !== 0
    );
  }

  /** OK, or what is wrong with the handle. Any thread; changes nothing. */
  protected inspect(handle: number): number {
    const unit = this.unitOf(handle);
    if (unit >= this.unitLimit) return ERR_FOREIGN_HANDLE;
    // N1 no ordering needed: the verdict on a live handle cannot change while the caller holds a reference.
    return this.matches(handle, this.rload(this.wordAddress(unit))) ? OK : ERR_STALE_HANDLE;
  }
}
