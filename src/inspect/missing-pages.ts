// Pages that nobody was found to have: lost by a death, or on their way from one place to another while they were
// looked for.
//
// In a reading during which nothing moved, and no thread was within a step, they are nobody's. In another one they are
// on their way, until they were missing in so many readings in a row with the word of their first unit unchanged: a
// pool that never rests keeps a lost page from nobody's eyes.

import type { SharedWords } from '../control/claims.js';
import { PLACES } from './page-map.js';

const LOST = PLACES.indexOf('nobody');
const MOVING = PLACES.indexOf('moving');
/** Readings in a row. */
const READINGS = 3;

/** The pages that were missing in the last readings. */
export class MissingPages {
  readonly #words: SharedWords;
  #seen = new Map<number, { readonly word: number; readonly readings: number }>();
  #lost: ReadonlySet<number> = new Set();

  constructor(words: SharedWords) {
    this.#words = words;
  }

  /** Those of the last reading that are nobody's. */
  get lost(): ReadonlySet<number> {
    return this.#lost;
  }

  /** Takes in the pages that a reading did not find, and marks in its map which of them are on their way. */
  follow(
    pages: readonly number[],
    map: { readonly isStill: boolean; readonly byPlace: Uint32Array; readonly places: Uint8Array },
  ): void {
    const { geometry, memory } = this.#words;
    const seen = new Map<number, { word: number; readings: number }>();
    const lost = new Set<number>();
    for (const page of pages) {
      const word = memory.u32[(geometry.fragmentWordsOffset >>> 2) + (page << geometry.unitsPerPageShift)] as number;
      const before = this.#seen.get(page);
      const readings = before?.word === word ? before.readings + 1 : 1;
      seen.set(page, { word, readings });
      if (map.isStill || readings >= READINGS) lost.add(page);
      else map.places[page - 1] = MOVING;
    }
    map.byPlace[LOST] = lost.size;
    map.byPlace[MOVING] = pages.length - lost.size;
    this.#seen = seen;
    this.#lost = lost;
  }
}
