// Locks that end with their threads: what shows a death where there is no exit event.
//
// Each port's thread holds a lock (own-lock.ts); a watcher asks for the same lock and is granted it when the holder has
// let go or is gone. In Node nobody waits for a lock: Node gives a dead thread's to whoever asks next, and not before,
// so a watcher has to ask again anyway. And in Node 24 each thread whose request waits wakes all others that have one,
// again and again: with two such threads that takes a processor for ever, with three it also takes memory without end.
// Nothing here keeps a program alive in Node or a browser; in Deno a lock that is asked for does.

import { CLAIM_SEQ_SHIFT, CLAIM_STATE_MASK, PORT_LOCK_OFFSET } from '../../assembly/layout.js';
import { claimOf, isSameClaim } from '../control/claims.js';
import { portOffset } from '../control/places.js';
import { workerThreads } from '../platform/thread.js';
import type { Timer } from '../platform/types.js';
import type { Port } from '../port/port.js';
import { type Locks, nameOf } from './own-lock.js';

/** How often a watcher of Node asks for the locks. */
const ASK_MS = 1000;

/** Notices when the locks of all other ports are let go of. */
export class LockWatch {
  readonly #port: Port;
  readonly #locks: Locks;
  readonly #onDeath: (id: number, claim: number) => void;
  readonly #abort = new AbortController();
  /** Port -> the claim whose lock is asked for. */
  readonly #asked = new Map<number, number>();
  /** Node: asks for all of them again. */
  readonly #timer: Timer | undefined;

  constructor(port: Port, locks: Locks, onDeath: (id: number, claim: number) => void) {
    this.#port = port;
    this.#locks = locks;
    this.#onDeath = onDeath;
    if (workerThreads() === undefined || 'Deno' in globalThis) return;
    this.#timer = setInterval(() => this.#askAgain(), ASK_MS) as unknown as Timer;
    this.#timer.unref?.();
  }

  /** Asks for the locks of ports that were claimed since. */
  follow(): void {
    const { geometry, id: own, memory } = this.#port;
    for (let id = 0; id < geometry.maxPorts; id++) {
      const claim = claimOf(memory, geometry, id);
      // A2 pairs with R1 in own-lock.ts granted: the lock of this claim is held, or was.
      const held = Atomics.load(memory.i32, (portOffset(geometry, id) + PORT_LOCK_OFFSET) >>> 2) >>> 0;
      const isHeld = (claim & CLAIM_STATE_MASK) !== 0 && held === claim >>> CLAIM_SEQ_SHIFT;
      if (id === own || !isHeld || this.covers(id, claim)) continue;
      this.#asked.set(id, claim);
      if (this.#timer === undefined) this.#request(id, claim, { signal: this.#abort.signal });
    }
  }

  /** Whether the lock of that claim is asked for. */
  covers(id: number, claim: number): boolean {
    const asked = this.#asked.get(id);
    return asked !== undefined && isSameClaim(asked, claim);
  }

  #askAgain(): void {
    for (const [id, claim] of this.#asked) this.#request(id, claim, { ifAvailable: true });
  }

  #request(id: number, claim: number, options: Parameters<Locks['request']>[1]): void {
    const granted = (lock: unknown): void => {
      if (lock === null) return; // its holder lives, or another watcher was faster
      if (this.#asked.get(id) === claim) this.#asked.delete(id);
      if (!this.#abort.signal.aborted) this.#onDeath(id, claim);
    };
    this.#locks.request(nameOf(this.#port, id, claim), options, granted).catch(() => {});
  }

  /** Gives up asking. */
  stop(): void {
    this.#abort.abort();
    clearInterval(this.#timer);
  }
}
