// Since when each page is in the same hands: a page that stays there, while others come and go, may have been lost.
//
// What tells one use of a page from the next is the word of its first unit, whose generation goes on with each release,
// and the port that has it. Read plainly: a wrong guess of a moment is right the next time.

import type { SharedWords } from '../control/claims.js';
import { NOBODY, PLACES } from './page-map.js';
import type { PoolSnapshot } from './snapshot.js';

const USED = PLACES.indexOf('used');

/** Marks of the pages that are held. */
export class HeldPages {
  readonly #words: SharedWords;
  readonly #generations: Uint16Array;
  readonly #owners: Uint8Array;
  /** When the page was first seen in these hands, ms; NaN when it is not held. */
  readonly #sinceMs: Float64Array;

  constructor(words: SharedWords) {
    const { pageCount } = words.geometry;
    this.#words = words;
    this.#generations = new Uint16Array(pageCount);
    this.#owners = new Uint8Array(pageCount).fill(NOBODY);
    this.#sinceMs = new Float64Array(pageCount).fill(Number.NaN);
  }

  /** Takes in a reading. */
  follow({ atMs, map: { owners, places } }: Pick<PoolSnapshot, 'atMs' | 'map'>): void {
    const { geometry, memory } = this.#words;
    const { fragmentWordsOffset, unitsPerPageShift } = geometry;
    const first = fragmentWordsOffset >>> 2;
    for (let i = 0; i < places.length; i++) {
      if (places[i] !== USED) {
        this.#sinceMs[i] = Number.NaN;
        continue;
      }
      const generation = (memory.u32[first + ((i + 1) << unitsPerPageShift)] as number) >>> 16;
      const owner = owners[i] as number;
      const isSame = generation === this.#generations[i] && owner === this.#owners[i];
      if (isSame && !Number.isNaN(this.#sinceMs[i] as number)) continue;
      this.#generations[i] = generation;
      this.#owners[i] = owner;
      this.#sinceMs[i] = atMs;
    }
  }

  /** Pages that have been in the same hands since `beforeMs` or longer, with the port that has each. */
  since(beforeMs: number): { readonly page: number; readonly portId: number; readonly sinceMs: number }[] {
    const found = [];
    for (const [i, sinceMs] of this.#sinceMs.entries()) {
      if (sinceMs <= beforeMs) found.push({ page: i + 1, portId: this.#owners[i] as number, sinceMs });
    }
    return found;
  }
}
