// Fences: references that are released when a device is done with them, in whatever order that happens.
//
// A fence takes the caller's references over and releases each once: when its promise settles, or when the device is lost, since
// nobody uses the memory then. The owner's thread only. What comes late is harmless: a pool that this thread has left has had its
// references back.

import { invalidArgument, invalidHandle, PagePoolError } from '../errors.js';
import { extentOf } from '../pool/handles.js';
import { isHandleNumber } from '../pool/numbers.js';
import type { Port } from '../pool/port.js';

/** One fence. */
interface Fence {
  readonly handles: readonly number[];
  readonly done: () => void;
}

/** The fences of one pool. */
export class Fences {
  /** References that could not be released: somebody else had released them. */
  refused = 0;
  readonly #port: Port;
  readonly #pending = new Set<Fence>();
  #isOpen = true;

  constructor(port: Port) {
    this.#port = port;
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
    list.forEach((handle, index) => {
      this.#requireLive(call, handle, index);
    });
    return new Promise((done) => {
      const fence: Fence = { handles: list, done };
      this.#pending.add(fence);
      const release = (): void => this.#release(fence);
      if (this.#isOpen) settled.then(release, release);
      else release();
    });
  }

  /** The device is gone: whatever waits for it is released now, and what comes later at once. */
  open(): void {
    this.#isOpen = false;
    for (const fence of [...this.#pending]) this.#release(fence);
  }

  #release(fence: Fence): void {
    if (!this.#pending.delete(fence)) return;
    for (const handle of fence.handles) if (!releaseLate(this.#port, handle)) this.refused += 1;
    fence.done();
  }

  #requireLive(call: string, handle: number, index: number): void {
    try {
      if (!isHandleNumber(handle)) throw invalidHandle(call, handle);
      extentOf(this.#port, call, handle);
    } catch (error) {
      if (!(error instanceof PagePoolError)) throw error;
      throw new PagePoolError(error.code, `${error.message} (at index ${index})`, { index });
    }
  }
}

/** Releases a reference where nobody could catch an error. False: it was not there any more, while the thread is attached. */
export function releaseLate(port: Port, handle: number): boolean {
  if (port.isGone) return true; // the pool took all this thread's references back
  if (port.engine.release(handle) >= 0) return true;
  globalThis.console?.warn(
    `pagepool ${JSON.stringify(port.name)}: handle=${handle} was released by somebody else (expected: by its fence or token alone)`,
  );
  return false;
}
