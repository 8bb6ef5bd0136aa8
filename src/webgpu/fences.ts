// Fences: references that are released when a device is done with them, in whatever order that happens.
//
// A fence takes the caller's references over and releases each once: when its promise settles, or when the device is
// lost, since nobody uses the memory then. The owner's thread only. What comes late is harmless: a pool that this
// thread has left has had its references back.

import { invalidArgument, PagePoolError } from '../errors.js';
import type { Custody } from './custody.js';

/** One fence. */
interface Fence {
  readonly handles: readonly number[];
  readonly done: () => void;
}

/** The fences of one pool. */
export class Fences {
  /** References that could not be released: somebody else had released them. */
  refused = 0;
  readonly #custody: Custody;
  readonly #pending = new Set<Fence>();
  #isOpen = true;

  constructor(custody: Custody) {
    this.#custody = custody;
  }

  /** Fences that wait. */
  get count(): number {
    return this.#pending.size;
  }

  /** References that wait in them. */
  get handles(): number {
    let handles = 0;
    for (const fence of this.#pending) handles += fence.handles.length;
    return handles;
  }

  /**
   * Releases the references when the promise settles, whatever way. Resolves after that.
   *
   * @throws PagePoolError with `index` when a handle is refused; nothing was taken over then
   */
  add(call: string, handles: number | ArrayLike<number>, settled: PromiseLike<unknown>): Promise<void> {
    const list = typeof handles === 'number' ? [handles] : Array.from(handles);
    if (typeof settled?.then !== 'function') throw invalidArgument(call, 'promise', settled, 'a promise');
    this.#take(call, list);
    return new Promise((done) => {
      const fence: Fence = { handles: list, done };
      this.#pending.add(fence);
      const release = (): void => this.#release(fence);
      // By a promise of this realm: a then() that throws has settled, too.
      if (this.#isOpen) Promise.resolve(settled).then(release, release);
      else release();
    });
  }

  /** Nobody uses the memory any more: whatever waits is released now, and what comes later at once. */
  open(): void {
    this.#isOpen = false;
    for (const fence of [...this.#pending]) this.#release(fence);
  }

  #release(fence: Fence): void {
    if (!this.#pending.delete(fence)) return;
    for (const handle of fence.handles) if (!this.#custody.release(handle)) this.refused += 1;
    fence.done();
  }

  /** All or none. */
  #take(call: string, handles: readonly number[]): void {
    let index = 0;
    try {
      for (; index < handles.length; index++) this.#custody.take(call, handles[index] as number);
    } catch (error) {
      for (const handle of handles.slice(0, index)) this.#custody.restore(handle);
      if (!(error instanceof PagePoolError)) throw error;
      throw new PagePoolError(error.code, `${error.message} (at index ${index})`, { index });
    }
  }
}
