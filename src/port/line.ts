// Lines: waits of one thread that are served one after the other, in the order of their calls.
//
// Only the first one waits for the event itself; whoever leaves the line, whatever way, calls the next. So a wake-up
// costs the same however many stand in line. The port's own thread only; nothing is shared.

import { touchDeepStack } from '../platform/stack.js';
import { type TimedWait, type WaitOptions, waitFor } from './waiting.js';
import type { WaitEvent } from './waits.js';

/** A place in a line: an event that is raised when it is the first. */
class Place implements WaitEvent {
  #listener: (() => void) | undefined;

  begin(): void {}

  end(): void {
    this.#listener = undefined;
  }

  arm(): number {
    return 0;
  }

  listen(_sequence: number, listener: () => void): boolean {
    this.#listener = listener;
    return true;
  }

  call(): void {
    this.#listener?.();
  }
}

/** Waits in a line. */
export class Line {
  readonly #places = new Set<Place>();

  /** As `waitFor`, behind all that wait here already. */
  async waitFor<T>(wait: TimedWait<T>, options: WaitOptions): Promise<T> {
    touchDeepStack();
    const place = new Place();
    this.#places.add(place);
    const isFirst = (): true | undefined => this.#first() === place || undefined;
    try {
      if (isFirst() === undefined) {
        await waitFor({ ...wait, event: place, probe: isFirst, ask: undefined }, options);
      }
      return await waitFor(wait, options);
    } finally {
      this.#places.delete(place);
      this.#first()?.call();
    }
  }

  #first(): Place | undefined {
    const [first] = this.#places;
    return first;
  }
}
