// The lock of one thread's own port: what shows its death to others where there is no exit event.
//
// Each port's thread holds a Web Lock named after the pool, the port and the claim, from attaching to detaching, once
// some thread of the pool watches (locks.ts). A port word records that the lock is held, so that nobody asks before.
// Nothing here keeps a program alive in Node or a browser; in Deno a lock that is held or asked for does.

import { CLAIM_SEQ_SHIFT, CONTROL_BASE, HEADER_LOCKS_OFFSET, PORT_LOCK_OFFSET } from '../../assembly/layout.js';
import { needsLifeline } from '../control/lifeline.js';
import { loadWord } from '../control/nodes.js';
import { portOffset } from '../control/places.js';
import { announce } from '../control/state.js';
import { workerThreads } from '../platform/thread.js';
import type { Port } from '../port/port.js';

/** What is used of the platform's LockManager. */
export interface Locks {
  request(
    name: string,
    options: { signal?: AbortSignal; ifAvailable?: boolean },
    callback: (lock: unknown) => unknown,
  ): Promise<unknown>;
}

/** The platform's locks, where it has some. */
export function platformLocks(): Locks | undefined {
  const host = globalThis as { navigator?: { locks?: Locks } };
  return (workerThreads()?.locks as Locks | undefined) ?? host.navigator?.locks;
}

/** The name of a port's lock. */
export function nameOf(port: Port, id: number, claim: number): string {
  return `pagepool ${port.identity} port ${id} claim ${claim >>> CLAIM_SEQ_SHIFT}`;
}

/** The lock of this thread's own port, from the constructor to `release`. */
export class OwnLock {
  #letGo: () => void = () => {};
  /** Resolves when it is held, or let go; rejects where locks are refused: an opaque origin. */
  readonly held: Promise<void>;

  constructor(port: Port, locks: Locks) {
    const { claim, geometry, id, memory } = port;
    let isOver = false;
    this.held = new Promise((resolve, reject) => {
      const released = new Promise<void>((end) => {
        this.#letGo = () => {
          isOver = true;
          end();
          resolve();
        };
      });
      const granted = (): Promise<void> => {
        resolve();
        if (!isOver) {
          // R1 pairs with A2 in locks.ts follow: whoever sees the word asks for a lock that is held.
          Atomics.store(memory.i32, (portOffset(geometry, id) + PORT_LOCK_OFFSET) >>> 2, claim >>> CLAIM_SEQ_SHIFT);
          announce(memory);
        }
        return released;
      };
      // No signal: Node grants a lock that is free within this call, and with a signal in a later job, before which the
      // thread may end unheard. Nobody else asks for it before it is held, so there is no wait to end.
      locks.request(nameOf(port, id, claim), {}, granted).catch(reject);
    });
    this.held.catch(() => {}); // for whoever asks
  }

  /** Lets go. The port is freed before: whoever is granted the lock then finds the claim gone. */
  release(): void {
    this.#letGo();
  }
}

/** Shows others that this thread lives, once some thread of the pool watches. */
export class OwnLife {
  protected readonly port: Port;
  #lock: OwnLock | undefined;
  /** The watchers were notified of this thread. */
  #isAnnounced = false;

  constructor(port: Port) {
    this.port = port;
  }

  /** As a lock's `held`; undefined where there is none. */
  protected get held(): Promise<void> | undefined {
    return this.#lock?.held;
  }

  /** Something was announced: notifies the watchers of this thread, if it may never hold its lock; takes the lock. */
  follow(): void {
    const { memory } = this.port;
    if (loadWord(memory, CONTROL_BASE + HEADER_LOCKS_OFFSET) === 0) return;
    if (!this.#isAnnounced) {
      this.#isAnnounced = true;
      if (needsLifeline(memory)) announce(memory);
    }
    const locks = platformLocks();
    if (locks !== undefined) this.#lock ??= new OwnLock(this.port, locks);
  }

  /** The thread is done with the pool; its port is free already. */
  stop(): void {
    this.#lock?.release();
  }
}
