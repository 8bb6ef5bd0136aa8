// How large the options of a pool may be: for whoever creates one, and for whoever is given a share.

import {
  GENERATION_BITS_MIN,
  HANDLE_BITS,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
  UNITS_PER_PAGE_MAX,
} from '../../assembly/layout.js';
import { unitBitsOf } from '../numbers.js';

export const PAGE_BYTES_MIN = 256;
export const PAGE_BYTES_MAX = 64 * 1024 * 1024;
export const PAGE_COUNT_MAX: number = RETIRED_INDEX_MASK << RETIRED_WORD_SHIFT;
export const CHANNELS_MAX = 256;
export const CHANNEL_CAPACITY_MAX = 65535;
export const TOKENS_MAX = 65535;
export const WHEN_FULL = ['refuse', 'drop-newest', 'drop-oldest'] as const;

/** Whether units of that size leave handles `generationBits`; `pageCount` with those of the reserve. */
export function unitsFit(
  unitBytes: number,
  pageBytes: number,
  pageCount: number,
  generationBits: number = GENERATION_BITS_MIN,
): boolean {
  const units = pageBytes / unitBytes;
  return units <= UNITS_PER_PAGE_MAX && HANDLE_BITS - unitBitsOf(pageCount, Math.log2(units)) >= generationBits;
}
