// Watching: noticing the end of other threads, and reaping what they leave.
//
// Two ways of noticing it: a worker's exit event (Node, Bun, Deno) names its thread by the number that its ports carry,
// and locks (locks.ts) show the end of every port's thread, whoever started it. The watching port's own thread only;
// callbacks run between its calls. Nothing is kept once the thread is done with the pool.

import { CONTROL_BASE, HEADER_LOCKS_OFFSET } from '../../assembly/layout.js';
import { loadWord } from '../control/nodes.js';
import { announce } from '../control/state.js';
import { clearWatched, forgetWatched, noteWatched } from '../control/watched.js';
import { invalidArgument, show } from '../errors.js';
import { warn } from '../platform/console.js';
import type { Port } from '../port/port.js';
import { LockWatch, OwnLock, platformLocks } from './locks.js';
import type { PortReaper } from './port-reaper.js';
import { type ExitingWorker, isExitingWorker, workersIn } from './workers.js';

/** One thread's watches. */
export class Watching {
  readonly #port: Port;
  readonly #reaper: PortReaper;
  #ownLock: OwnLock | undefined;
  #lockWatch: LockWatch | undefined;
  /** Worker -> the listener that it calls when it ends. */
  readonly #listeners = new Map<ExitingWorker, () => void>();

  constructor(port: Port, reaper: PortReaper) {
    this.#port = port;
    this.#reaper = reaper;
  }

  /**
   * Reaps the ports of the worker, or of all that the value holds, when they end, whatever they attach until then.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an end cannot be noticed here, or the worker has ended
   */
  watch(value: unknown): void {
    const workers = workersOf(value);
    if (workers === undefined) throw invalidArgument('watch', 'worker', value, 'a Worker, or what holds Workers');
    const locks = this.#port.memory.isShared ? platformLocks() : undefined;
    if (locks === undefined && !workers.every(isExitingWorker)) {
      throw invalidArgument(
        'watch',
        'worker',
        value,
        'a Worker with an exit event, or a realm with Web Locks',
        'reap its port by hand when it has ended: reap(portId, { force: true }), then audit()',
      );
    }
    const isOne = workers[0] === value;
    for (const worker of workers) {
      // Of those that a pool holds, some may be on their way out: whoever watched them is notified.
      if (!isOne && isExitingWorker(worker) && worker.threadId < 0) continue;
      if (isExitingWorker(worker)) this.#watchExit(worker);
      this.#port.areas?.carryTo(worker); // last: what is refused leaves no listener
    }
    // In Deno a lock keeps the program alive, and the event is enough.
    if (locks !== undefined && !('Deno' in globalThis && workers.every(isExitingWorker))) this.#watchLocks();
  }

  #watchExit(worker: ExitingWorker): void {
    if (this.#listeners.has(worker)) return;
    // Now: the exit event comes when the number is gone.
    const { threadId } = worker;
    if (threadId < 0) {
      throw invalidArgument('watch', 'worker.threadId', threadId, 'a worker that runs', 'watch it when it is made');
    }
    const listener = (): void => {
      this.#listeners.delete(worker);
      if (!this.#port.isGone) forgetWatched(this.#port, threadId);
      this.#guard(() => this.#reaper.reapThread(threadId));
    };
    this.#listeners.set(worker, listener);
    worker.on('exit', listener);
    // Deno and Bun do not announce that a thread's workers end with it.
    if (!('Deno' in globalThis) && !('Bun' in globalThis)) noteWatched(this.#port, threadId);
  }

  /** The thread leaves: what it watched is nobody's from here on. The port is still its own. */
  leave(): void {
    clearWatched(this.#port, this.#port.id);
  }

  /** From here on every port's thread holds a lock, and this one waits for all of them. */
  #watchLocks(): void {
    const { memory } = this.#port;
    const index = (CONTROL_BASE + HEADER_LOCKS_OFFSET) >>> 2;
    // X1 of those who begin, one notifies; the others find it done.
    if (Atomics.compareExchange(memory.i32, index, 0, 1) === 0) announce(memory);
    const locks = platformLocks();
    if (locks === undefined) return;
    this.#lockWatch ??= new LockWatch(this.#port, locks, (id, claim) => {
      this.#guard(() => this.#reaper.reapClaim(id, claim));
    });
    this.follow();
  }

  /** Something was announced: takes the own lock when locks are wanted, and asks for those of new ports. */
  follow(): void {
    if (loadWord(this.#port.memory, CONTROL_BASE + HEADER_LOCKS_OFFSET) === 0) return;
    const locks = platformLocks();
    if (locks !== undefined) this.#ownLock ??= new OwnLock(this.#port, locks);
    this.#lockWatch?.follow();
  }

  /** Nobody catches what a callback of the platform throws: a pool that cannot be repaired must not end the program. */
  #guard(reap: () => void): void {
    try {
      reap();
    } catch (error) {
      warn(this.#port.name, `a port could not be reaped: ${show(String(error))}`);
    }
  }

  /** The thread is done with the pool; its port is free already. */
  stop(): void {
    for (const [worker, listener] of this.#listeners) worker.off('exit', listener);
    this.#listeners.clear();
    this.#lockWatch?.stop();
    this.#ownLock?.release();
  }
}

/** The workers in the value; none where reading it runs code of the caller that throws. */
function workersOf(value: unknown): ReturnType<typeof workersIn> {
  try {
    return workersIn(value);
  } catch {
    return undefined;
  }
}
