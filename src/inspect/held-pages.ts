// Since when each page is in the same hands: a page that stays there, while others come and go, may have been lost.
//
// What tells one use of a page from the next is the word of its first unit, whose generation goes on with each release,
// and the port that has it. Read plainly: a wrong guess of a moment is right the next time.

import type { SharedWords } from '../control/claims.js';
import { USED } from './page-map.js';
import type { PoolSnapshot } from './snapshot.js';

const OWNER_SHIFT = 16;
const READING_SHIFT = 24;

/** Marks of the pages that are held. */
export class HeldPages {
  readonly #words: SharedWords;
  /** Of each page: generation, owner, and the number of the reading that found it held last, modulo 255, from 1 on. */
  readonly #marks: Int32Array;
  /** When the page was first seen in these hands, ms. */
  readonly #sinceMs: Float64Array;
  /** From 1 on: a mark of 0 is of no reading. */
  #reading = 1;

  constructor(words: SharedWords) {
    const { pageCount } = words.geometry;
    this.#words = words;
    this.#marks = new Int32Array(pageCount);
    this.#sinceMs = new Float64Array(pageCount);
  }

  /** Takes in a reading. */
  follow({ atMs, map: { owners, places } }: Pick<PoolSnapshot, 'atMs' | 'map'>): void {
    const { geometry, memory } = this.#words;
    const { unitsPerPageShift } = geometry;
    const { u32 } = memory;
    const first = geometry.fragmentWordsOffset >>> 2;
    const [marks, sinceMs] = [this.#marks, this.#sinceMs];
    const before = this.#reading << READING_SHIFT;
    this.#reading = (this.#reading % 255) + 1;
    const now = this.#reading << READING_SHIFT;
    for (let i = 0; i < places.length; i++) {
      if (places[i] !== USED) continue;
      const generation = (u32[first + ((i + 1) << unitsPerPageShift)] as number) >>> 16;
      const hands = ((owners[i] as number) << OWNER_SHIFT) | generation;
      if (marks[i] !== (before | hands)) sinceMs[i] = atMs;
      marks[i] = now | hands;
    }
  }

  /** Pages that have been in the same hands since `beforeMs` or longer, with the port that has each. */
  since(beforeMs: number): { readonly page: number; readonly portId: number; readonly sinceMs: number }[] {
    const found = [];
    for (const [i, mark] of this.#marks.entries()) {
      const sinceMs = this.#sinceMs[i] as number;
      if (mark >>> READING_SHIFT !== this.#reading || sinceMs > beforeMs) continue;
      found.push({ page: i + 1, portId: (mark >>> OWNER_SHIFT) & 0xff, sinceMs });
    }
    return found;
  }
}
