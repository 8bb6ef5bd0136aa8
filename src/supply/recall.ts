// Recall: how the pages of a retiring area leave circulation, wherever they are.
//
// The owner's thread only. The steps on shared words are in owner-words.ts; here is on which pages the owner has a pin.

import { pinCount } from '../control/nodes.js';
import type { OwnedArea } from './context.js';
import { type OwnerSeat, recallPage } from './owner-words.js';

/** The pages that one owner calls home. */
export class Recall {
  readonly #seat: OwnerSeat;
  /** Pages on which the owner itself has a pin, so that they leave circulation. */
  readonly #recalled = new Set<number>();

  constructor(seat: OwnerSeat) {
    this.#seat = seat;
  }

  /** Calls those of the area that are out: they leave with their last release. */
  start({ firstPage, pages }: OwnedArea, isOut: Uint8Array): void {
    for (let page = firstPage; page < firstPage + pages; page++) {
      if (isOut[page] !== 0) recallPage(this.#seat, page, this.#recalled);
    }
  }

  /** They are with their providers, and nobody has a pin on them. */
  done(pages: readonly number[]): void {
    for (const page of pages) this.#recalled.delete(page);
  }

  /**
   * Takes the owner's pins off: those of an area that is kept after all, or of all, since the owner leaves or the pool
   * is destroyed and nobody would do it later. Pages circulate on, and those that had left for the owner's sake alone
   * come home. While the thread has its port.
   */
  stop(area?: OwnedArea): void {
    const { engine } = this.#seat;
    for (const page of this.#recalled) {
      if (area !== undefined && (page < area.firstPage || page >= area.firstPage + area.pages)) continue;
      this.#recalled.delete(page);
      engine.unpin(page);
    }
  }

  /** Pages on which nobody but the owner has a pin. */
  ownPins(): number {
    let own = 0;
    for (const page of this.#recalled) if (pinCount(this.#seat, page) === 1) own++;
    return own;
  }
}
