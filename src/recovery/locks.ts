// Locks that end with their threads: what shows a death where there is no exit event.
//
// Each port's thread holds a lock (own-lock.ts); a watcher asks for the same lock and is granted it when the holder has
// let go or is gone. Nothing here keeps a program alive in Node or a browser; in Deno a lock that is asked for does.

import { CLAIM_SEQ_SHIFT, CLAIM_STATE_MASK, PORT_LOCK_OFFSET } from '../../assembly/layout.js';
import { claimOf } from '../control/claims.js';
import { portOffset } from '../control/places.js';
import { workerThreads } from '../platform/thread.js';
import type { Timer } from '../platform/types.js';
import type { Port } from '../port/port.js';
import { type Locks, nameOf } from './own-lock.js';

/** How often Node is asked to check its locks. */
const NUDGE_MS = 1000;

/** Waits for the locks of all other ports. */
export class LockWatch {
  readonly #port: Port;
  readonly #locks: Locks;
  readonly #onDeath: (id: number, claim: number) => void;
  readonly #abort = new AbortController();
  /** Port -> the claim whose lock is asked for. */
  readonly #asked = new Map<number, number>();
  readonly #nudges: Timer | undefined;

  constructor(port: Port, locks: Locks, onDeath: (id: number, claim: number) => void) {
    this.#port = port;
    this.#locks = locks;
    this.#onDeath = onDeath;
    if (workerThreads() !== undefined) this.#nudges = this.#nudgeNode();
  }

  /** Asks for the locks of ports that were claimed since. */
  follow(): void {
    const { geometry, id: own, memory } = this.#port;
    for (let id = 0; id < geometry.maxPorts; id++) {
      const claim = claimOf(memory, geometry, id);
      // A2 pairs with R1 in own-lock.ts granted: the lock of this claim is held, or was.
      const held = Atomics.load(memory.i32, (portOffset(geometry, id) + PORT_LOCK_OFFSET) >>> 2) >>> 0;
      const isHeld = (claim & CLAIM_STATE_MASK) !== 0 && held === claim >>> CLAIM_SEQ_SHIFT;
      if (id !== own && isHeld && this.#asked.get(id) !== held) this.#ask(id, claim, held);
    }
  }

  /** Whether the lock of that claim is waited for. */
  covers(id: number, claim: number): boolean {
    return this.#asked.get(id) === claim >>> CLAIM_SEQ_SHIFT;
  }

  #ask(id: number, claim: number, sequence: number): void {
    this.#asked.set(id, sequence);
    const granted = (): void => {
      if (this.#asked.get(id) === sequence) this.#asked.delete(id);
      if (!this.#abort.signal.aborted) this.#onDeath(id, claim);
    };
    this.#locks.request(nameOf(this.#port, id, claim), { signal: this.#abort.signal }, granted).catch(() => {});
  }

  /**
   * Node (24, 26) gives a dead thread's lock to another thread when that one next asks for any lock, and not before.
   */
  #nudgeNode(): Timer {
    const nudge = (): void => {
      this.#locks.request('pagepool nudge', { ifAvailable: true }, () => {}).catch(() => {});
    };
    const timer = setInterval(nudge, NUDGE_MS) as unknown as Timer;
    timer.unref?.();
    return timer;
  }

  /** Gives up waiting. */
  stop(): void {
    this.#abort.abort();
    clearInterval(this.#nudges);
  }
}
