// Watching: noticing the end of other threads, and reaping what they leave.
//
// Three ways of noticing it: a worker's exit event (Node, Bun, Deno) names its thread by the number that its ports
// carry; locks (locks.ts) show the end of every port's thread, whoever started it; and threads of the web that hold no
// lock, since they block, or are not allowed to, are asked (lives.ts). The watching port's own thread only; callbacks
// run between its calls. Nothing is kept once the thread is done with the pool.

import { CONTROL_BASE, HEADER_LOCKS_OFFSET } from '../../assembly/layout.js';
import { canAskLives } from '../control/lifeline.js';
import { announce } from '../control/state.js';
import { clearWatched, forgetWatched, noteWatched } from '../control/watched.js';
import { invalidArgument, type PagePoolError, reasonOf, show } from '../errors.js';
import { warn } from '../platform/console.js';
import type { Port } from '../port/port.js';
import { LifeWatch } from './lives.js';
import { LockWatch } from './locks.js';
import { type Locks, OwnLife, platformLocks } from './own-lock.js';
import type { PortReaper } from './port-reaper.js';
import { type ExitingWorker, isExitingWorker, workersIn } from './workers.js';

/** One thread's watches. */
export class Watching extends OwnLife {
  readonly #reaper: PortReaper;
  #lockWatch: LockWatch | undefined;
  #lifeWatch: LifeWatch | undefined;
  /** Worker -> the listener that it calls when it ends. */
  readonly #listeners = new Map<ExitingWorker, () => void>();

  constructor(port: Port, reaper: PortReaper) {
    super(port);
    this.#reaper = reaper;
  }

  /**
   * Reaps the ports of the worker, or of all that the value holds, when they end, whatever they attach until then.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an end cannot be noticed here, or the worker has ended
   */
  watch(value: unknown): PromiseLike<void> {
    const workers = workersOf(value);
    if (workers === undefined) throw invalidArgument('watch', 'worker', value, 'a Worker, or what holds Workers');
    const { memory } = this.port;
    const canExit = workers.every(isExitingWorker);
    // In Deno a lock keeps the program alive, and the event is enough.
    const locks = memory.isShared && !('Deno' in globalThis && canExit) ? platformLocks() : undefined;
    const canAsk = canAskLives(memory);
    if (locks === undefined && !canExit && !canAsk) throw unnoticed(value, 'a realm with Web Locks');
    const isOne = workers[0] === value;
    for (const worker of workers) {
      // Of those that a pool holds, some may be on their way out: whoever watched them is notified.
      if (!isOne && isExitingWorker(worker) && worker.threadId < 0) continue;
      if (isExitingWorker(worker)) this.#watchExit(worker);
      this.port.areas?.carryTo(worker); // last: what is refused leaves no listener
    }
    if (locks !== undefined) this.#watchLocks(locks);
    if (canAsk) this.#watchLives();
    if (locks !== undefined || canAsk) this.#begin();
    return new Watched(this.#noticed(value, canExit || canAsk), (reason) => warn(this.port.name, reasonOf(reason)));
  }

  /** Resolves when every end is noticed from then on. */
  async #noticed(value: unknown, isEnough: boolean): Promise<undefined> {
    try {
      await this.held;
    } catch (cause) {
      if (!isEnough) throw unnoticed(value, `a realm whose locks are not refused (${String(cause)})`);
    }
    return undefined;
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
      this.#guard(() => this.#reaper.reapThread(threadId));
      // Last: where this thread ends before, its reaper inherits the watch.
      if (!this.port.isGone) forgetWatched(this.port, threadId);
    };
    this.#listeners.set(worker, listener);
    worker.on('exit', listener);
    // Deno and Bun do not announce that a thread's workers end with it.
    if (!('Deno' in globalThis) && !('Bun' in globalThis)) noteWatched(this.port, threadId);
  }

  /** The thread leaves: what it watched is nobody's from here on. The port is still its own. */
  leave(): void {
    clearWatched(this.port, this.port.id);
  }

  /** From here on every port's thread holds a lock, and this one waits for all of them. */
  #watchLocks(locks: Locks): void {
    this.#lockWatch ??= new LockWatch(this.port, locks, (id, claim) => {
      this.#guard(() => this.#reaper.reapClaim(id, claim));
    });
  }

  /** From here on this thread asks those that hold no lock. */
  #watchLives(): void {
    this.#lifeWatch ??= new LifeWatch(
      this.port,
      (id, claim) => this.#lockWatch?.covers(id, claim) === true,
      (id, claim) => this.#guard(() => this.#reaper.reapClaim(id, claim)),
    );
  }

  /** Announces to all threads that somebody watches, those too that attach later. */
  #begin(): void {
    const { memory } = this.port;
    const index = (CONTROL_BASE + HEADER_LOCKS_OFFSET) >>> 2;
    // X1 of those who begin, one notifies; the others find it done.
    if (Atomics.compareExchange(memory.i32, index, 0, 1) === 0) announce(memory);
    this.follow();
  }

  /** The same; and asks for the locks of new ports, and those that hold none. */
  override follow(): void {
    this.#lifeWatch?.follow();
    super.follow();
    this.#lockWatch?.follow();
  }

  /** Nobody catches what a callback of the platform throws: a pool that cannot be repaired must not end the program. */
  #guard(reap: () => void): void {
    try {
      reap();
    } catch (error) {
      warn(this.port.name, `a port could not be reaped: ${show(String(error))}`);
    }
  }

  override stop(): void {
    for (const [worker, listener] of this.#listeners) worker.off('exit', listener);
    this.#listeners.clear();
    this.#lockWatch?.stop();
    this.#lifeWatch?.stop();
    super.stop();
  }
}

/** "Watched from here on", for who awaits it: what fails and nobody awaits is a warning. */
class Watched implements PromiseLike<undefined> {
  readonly #noticed: Promise<undefined>;
  #isAwaited = false;

  constructor(noticed: Promise<undefined>, warnOf: (reason: unknown) => void) {
    this.#noticed = noticed;
    noticed.catch((reason) => {
      if (!this.#isAwaited) warnOf(reason);
    });
  }

  // biome-ignore lint/suspicious/noThenProperty: whoever awaits it is told, and nobody is warned then
  then<Result = undefined, Failure = never>(
    onWatched?: ((value: undefined) => Result | PromiseLike<Result>) | null,
    onFailed?: ((reason: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Result | Failure> {
    this.#isAwaited = true;
    return this.#noticed.then(onWatched, onFailed);
  }
}

function unnoticed(value: unknown, place: string): PagePoolError {
  const remedy = 'reap its port by hand when it has ended: reap(portId, { force: true }), then audit()';
  return invalidArgument('watch', 'worker', value, `a Worker with an exit event, or ${place}`, remedy);
}

/** The workers in the value; none where reading it runs code of the caller that throws. */
function workersOf(value: unknown): ReturnType<typeof workersIn> {
  try {
    return workersIn(value);
  } catch {
    return undefined;
  }
}
