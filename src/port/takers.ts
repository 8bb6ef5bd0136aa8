// Takers: waits for several pages at one time, all of them or none.
//
// Two that took one by one, and returned them, would wake each other for ever. So a taker counts first and takes what
// it has counted, and of all ports only one does that at a time (bell.ts beginTaking). Whoever finds another port at it
// is rung when that is over. Whoever finds too few pages waits at the event of pages, by bits that everybody who
// publishes rings. No page is reserved for a taker: those that want one page may be served before, for as long as there
// are any.

import { hasFreePages } from '../control/nodes.js';
import { monotonicMs } from '../platform/clock.js';
import { beginTaking, endTaking, isTakerFree, TAKER_FREE } from './bell.js';
import { exhausted, type Port } from './port.js';
import { type WaitOptions, waitFor } from './waiting.js';
import type { PoolEvent, WaitEvent, Waits } from './waits.js';
import { seekPages } from './want.js';

/** How long a taker rests that had counted enough and got less: what it returned woke others. At random, doubling. */
const REST_MS = 1;
const REST_MS_MAX = 16;

/** What is to be taken. */
export interface Taking<T> {
  /** For messages: `takePacketAsync`. */
  readonly call: string;
  readonly pages: number;
  /** Takes all of it, or nothing: undefined. */
  readonly take: () => T | undefined;
}

/** The waits of one port for several pages. */
export class Takers {
  readonly #port: Port;
  readonly #freed: PoolEvent;
  readonly #taker: PoolEvent;
  /** What to call, and how many pages each needs. */
  readonly #needs = new Map<() => void, number>();

  /** @param freed the event of pages that come back */
  constructor(port: Port, waits: Waits, freed: PoolEvent) {
    this.#port = port;
    this.#freed = freed;
    this.#taker = waits.event(TAKER_FREE, () => isTakerFree(port.memory));
  }

  /**
   * Takes as soon as there are enough pages at one time.
   *
   * @throws as `waitFor`; PagePoolError POOL_ERR_CLOSING, POOL_ERR_DESTROYED or POOL_ERR_PROVIDER where no page will
   *   come
   */
  take<T>({ call, pages, take }: Taking<T>, options: WaitOptions): Promise<T> {
    const port = this.#port;
    if (pages === 1) {
      // One page is taken or not: nothing is returned.
      const ask = (): boolean => port.engine.hasPages() !== 0;
      return waitFor({ call, port, event: this.#freed, probe: take, ask, what: 'a page', isReported: true }, options);
    }
    let isFirst = true;
    let restMs = REST_MS;
    let restUntilMs = 0;
    const countAndTake = (): T | undefined => {
      const hasEnough = (): boolean => hasFreePages(port, pages);
      if (!hasEnough()) {
        // Asks the other ports and the provider for pages.
        port.engine.press();
        if (seekPages(port, call, pages, () => (hasEnough() ? pages : 0)) === 0) return undefined;
      }
      const taken = take();
      if (taken !== undefined) return taken;
      restUntilMs = monotonicMs() + restMs * (1 + Math.random());
      restMs = Math.min(2 * restMs, REST_MS_MAX);
      return undefined;
    };
    const probe = (): T | undefined => {
      // As the call itself that does not wait: before the port parks, part of it may fit into its open page.
      const isDirect = isFirst;
      isFirst = false;
      if (isDirect) return take();
      exhausted(port, call);
      return monotonicMs() < restUntilMs ? undefined : this.#alone(countAndTake);
    };
    const event = this.#event(pages, () => monotonicMs() < restUntilMs);
    const what = `${pages} pages at one time`;
    return waitFor({ call, port, event, probe, what, isReported: true, units: 'several' }, options);
  }

  #event(pages: number, isResting: () => boolean): WaitEvent {
    const [freed, taker] = [this.#freed, this.#taker];
    return {
      begin: (check) => {
        this.#needs.set(check, pages);
        freed.begin(this.#check, 'several');
      },
      end: (check) => {
        this.#needs.delete(check);
        if (this.#needs.size > 0) return;
        taker.end(this.#check, 'one');
        freed.end(this.#check, 'several');
      },
      settle: (isPeek) => {
        taker.settle(isPeek);
        freed.settle(isPeek);
      },
      arm: () => freed.arm('several'),
      listen: (bell) => freed.listen(bell, this.#check) && !isResting(),
    };
  }

  /** The waits probe in their order; who needs as many as one that found too few, or more, need not. */
  readonly #check = (): void => {
    let tooMany = Infinity;
    for (const [check, pages] of this.#needs) {
      if (pages >= tooMany) continue;
      check();
      if (this.#needs.has(check)) tooMany = pages;
    }
  };

  /** What `take` takes; undefined also where another port is the taker now: these waits probe when that is done. */
  #alone<T>(take: () => T | undefined): T | undefined {
    const { claim, engine, id, memory } = this.#port;
    const seat = { claim, id, memory };
    if (!beginTaking(seat)) {
      this.#taker.begin(this.#check, 'one');
      this.#taker.arm('one');
      // It may have ended before this port's bit was there.
      if (!beginTaking(seat)) return undefined;
    }
    // The end of this is passed on whatever the port owes.
    this.#taker.end(this.#check, 'one');
    this.#taker.owes = false;
    try {
      return take();
    } finally {
      endTaking(engine, seat);
    }
  }
}
