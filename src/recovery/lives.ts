// Asking whether threads live that no lock shows the end of: by their lifelines (src/control/lifeline.ts), on a timer.
//
// The watching port's own thread only. A look takes a strand, so a thread that does not come by is asked less and less:
// its end is noticed late by as long as it had computed. The timer runs while there are such threads.

import { ringPort } from '../control/bells.js';
import { claimOf, isAttached, isSameClaim } from '../control/claims.js';
import { askLife } from '../control/lifeline.js';
import { monotonicMs } from '../platform/clock.js';
import { startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';
import type { Port } from '../port/port.js';

/** How often a thread is asked that comes by. */
const LOOK_MS = 150;

/** One thread that is asked. */
interface Asked {
  readonly claim: number;
  /** When to ask it next, and how long after that. */
  dueMs: number;
  delayMs: number;
}

/** Asks the threads of all other ports. */
export class LifeWatch {
  readonly #port: Port;
  readonly #isCovered: (id: number, claim: number) => boolean;
  readonly #onDeath: (id: number, claim: number) => void;
  readonly #asked = new Map<number, Asked>();
  #timer: Timer | undefined;
  #isOver = false;

  /** @param isCovered whether a lock shows the end of the port's thread */
  constructor(
    port: Port,
    isCovered: (id: number, claim: number) => boolean,
    onDeath: (id: number, claim: number) => void,
  ) {
    this.#port = port;
    this.#isCovered = isCovered;
    this.#onDeath = onDeath;
  }

  /** Asks the threads that no lock covers, until there are none. */
  follow(): void {
    if (this.#timer !== undefined || this.#isOver) return;
    const { geometry, id: own, memory } = this.#port;
    let isAny = false;
    for (let id = 0; id < geometry.maxPorts; id++) {
      const claim = claimOf(memory, geometry, id);
      if (id === own || !isAttached(claim) || this.#isCovered(id, claim)) this.#asked.delete(id);
      else if (this.#ask(id, claim)) isAny = true;
    }
    if (this.#isOver || !isAny) return;
    this.#timer = startTimer(() => {
      this.#timer = undefined;
      this.follow();
    }, LOOK_MS);
  }

  /** False: it is dead. */
  #ask(id: number, claim: number): boolean {
    const { geometry, memory } = this.#port;
    const now = monotonicMs();
    let asked = this.#asked.get(id);
    if (asked === undefined || !isSameClaim(asked.claim, claim)) {
      asked = { claim, dueMs: now, delayMs: LOOK_MS };
      this.#asked.set(id, asked);
    }
    if (now < asked.dueMs) return true;
    const { life, isShort } = askLife({ memory, geometry, id, claim });
    if (life === 'dead') {
      this.#asked.delete(id);
      this.#onDeath(id, claim);
      return false;
    }
    // Whoever blocks wakes and makes new strands.
    if (isShort) ringPort(memory, id);
    asked.delayMs = isShort ? 2 * asked.delayMs : LOOK_MS;
    asked.dueMs = now + asked.delayMs;
    return true;
  }

  /** Asks nobody any more. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
