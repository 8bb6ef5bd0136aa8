// The colours, as the style sheet has them in light and dark: read once, and again when the scheme changes.

import { PLACES, type Place } from '../../inspect/page-map.js';

/** What each place is, for the legend. */
export const PLACE_TEXTS: Readonly<Record<Place, string>> = {
  used: 'held by a thread',
  open: 'open for fragments, nobody has one',
  channel: 'in a channel, not received',
  token: 'lent, not adopted',
  reply: 'an answer not collected',
  cached: "in a thread's cache",
  ring: 'in the recycle ring',
  fresh: 'fresh, never used',
  retired: 'given back to the pool, ready for use',
  provider: 'with its provider',
  reserve: 'of the reserve',
  pinned: 'left while pinned',
  nobody: 'nobody has it',
  moving: 'on its way during the look',
};

/** Colours of threads, by their ports. */
const OWNERS = 12;
/** Colours of channels, and of calls behind them: darker than those of threads, or lighter where it is dark. */
const LANES = 6;

/** The colour of a channel; calls are counted on behind the channels, as owners of pages are. */
export const laneColour = (lane: number): string => `lane-${lane % LANES}`;

/** The colours of the scheme that is shown. */
export class Colours {
  readonly #root: HTMLElement;
  #values = new Map<string, string>();

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** Reads them anew. */
  read(): void {
    this.#values = new Map();
  }

  get(name: string): string {
    let value = this.#values.get(name);
    if (value === undefined) {
      value = getComputedStyle(this.#root).getPropertyValue(`--${name}`).trim();
      this.#values.set(name, value);
    }
    return value;
  }

  place(place: number): string {
    return this.get(`place-${PLACES[place] ?? 'nobody'}`);
  }

  owner(owner: number): string {
    return this.get(`owner-${owner % OWNERS}`);
  }
}
