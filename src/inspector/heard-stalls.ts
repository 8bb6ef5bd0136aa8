// Waits of which a thread said that they stand still. They are findings until one is answered or gone, also where the
// observer began to look long after they did.

import { titleOf } from '../control/geometry.js';
import type { ObservedPort, ObservedWait, PoolSnapshot } from '../inspect/snapshot.js';
import type { HeardStall } from './wire.js';

/** So many looks without a wait end it: a thread that is woken and finds nothing has none for a moment. */
const LOOKS_WITHOUT = 2;

interface HeardWait {
  readonly portId: number;
  readonly what: string;
  /** When it began, ms of this thread's clock, or earlier. */
  readonly sinceMs: number;
  readonly thread: number | null;
  /** What its answer moves, as it was when the standstill was heard of. */
  readonly progress: number;
  looksWithout: number;
}

/** The waits of one pool. */
export class HeardStalls {
  #waits: HeardWait[] = [];

  /** Takes in a report, and the pool as it is now. */
  hear({ portId, waits }: HeardStall, now: PoolSnapshot): void {
    const port = now.ports[portId];
    if (port === undefined) return;
    this.#waits = this.#waits.filter((wait) => wait.portId !== portId);
    for (const what of new Set(waits.map((wait) => wait.what))) {
      const ms = Math.max(...waits.filter((wait) => wait.what === what).map((wait) => wait.ms));
      const [{ thread }, progress] = [port, progressOf(now, port, what)];
      this.#waits.push({ portId, what, sinceMs: now.atMs - ms, thread, progress, looksWithout: 0 });
    }
  }

  /** Forgets what is answered or gone; whether there was any. */
  follow(now: PoolSnapshot): boolean {
    const before = this.#waits.length;
    this.#waits = this.#waits.filter((wait) => {
      const port = now.ports[wait.portId] as ObservedPort;
      const isThere = port.waits.some(({ what }) => what === wait.what);
      wait.looksWithout = isThere ? 0 : wait.looksWithout + 1;
      const isSame = port.isClaimed && port.thread === wait.thread;
      return isSame && wait.looksWithout < LOOKS_WITHOUT && progressOf(now, port, wait.what) === wait.progress;
    });
    return this.#waits.length < before;
  }

  /** What still waits, with its port. */
  waits(now: PoolSnapshot): { readonly port: ObservedPort; readonly wait: ObservedWait }[] {
    return this.#waits.map(({ portId, sinceMs, what }) => ({
      port: now.ports[portId] as ObservedPort,
      wait: { what, forMs: now.atMs - sinceMs },
    }));
  }

  /** The ports with what is known of their waits: a report knows when one began. */
  portsOf(now: PoolSnapshot): readonly ObservedPort[] {
    if (this.#waits.length === 0) return now.ports;
    return now.ports.map((port) => ({
      ...port,
      waits: port.waits.map(({ forMs, what }) => {
        const heard = this.#waits.find((wait) => wait.portId === port.portId && wait.what === what);
        return { what, forMs: heard === undefined ? forMs : Math.max(forMs, now.atMs - heard.sinceMs) };
      }),
    }));
  }
}

/** A count of the port that the answer of a wait moves; always 0 where none is read by port. */
function progressOf({ channels }: PoolSnapshot, { alloc, lanes }: ObservedPort, what: string): number {
  if (what === 'a page') return alloc.fast + alloc.refill + alloc.slow + alloc.fragments;
  const channel = channels.findIndex(({ name }) => what === `room in ${titleOf({ name, isCalls: false })}`);
  return lanes[channel]?.sent ?? 0;
}
