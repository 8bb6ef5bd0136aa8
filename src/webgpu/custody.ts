// Custody: references that fences and tokens own, in this thread's name.
//
// The pool counts a thread's references by page and cannot distinguish the program's own from those that were passed
// on here, so that is counted beside it: what was passed on once is refused the second time. The owner's thread only.

import { pageOfHandle, rowIndex } from '../control/places.js';
import { invalidHandle, PagePoolError, REMEDIES } from '../errors.js';
import { isHandleNumber } from '../numbers.js';
import { extentOf } from '../port/handles.js';
import type { Port } from '../port/port.js';

/** The references of one pool that are in custody. */
export class Custody {
  readonly #port: Port;
  /** Page -> references. */
  readonly #owned: Uint16Array;

  constructor(port: Port) {
    this.#port = port;
    // As wide as the ledger's own rows, which bound it.
    this.#owned = new Uint16Array(port.geometry.pageCount + 1);
  }

  /**
   * Takes one reference of the caller's over.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE and the like; POOL_ERR_NOT_HELD when this thread holds none that it has
   *   not passed on
   */
  take(call: string, handle: number): void {
    if (!isHandleNumber(handle)) throw invalidHandle(call, handle);
    extentOf(this.#port, call, handle);
    const { geometry, id, memory } = this.#port;
    const page = pageOfHandle(this.#port, handle);
    // Plain: this thread's own row.
    const held = memory.u16[rowIndex(geometry, id, page)] as number;
    const owned = this.#owned[page] as number;
    if (held > owned) {
      this.#owned[page] = owned + 1;
      return;
    }
    throw new PagePoolError(
      'POOL_ERR_NOT_HELD',
      `${call} failed: handle=${handle} (expected a fragment that this thread holds a reference on, and did not pass on); ${REMEDIES.POOL_ERR_NOT_HELD}`,
    );
  }

  /** The caller has its reference back. */
  restore(handle: number): void {
    const page = pageOfHandle(this.#port, handle);
    this.#owned[page] = (this.#owned[page] as number) - 1;
  }

  /**
   * Releases a reference where nobody could catch an error. False: it was not there any more, while the thread is
   * attached.
   */
  release(handle: number): boolean {
    this.restore(handle);
    const { engine, isGone, name } = this.#port;
    if (isGone) return true; // the pool took all this thread's references back
    if (engine.release(handle) >= 0) return true;
    globalThis.console?.warn(
      `pagepool ${JSON.stringify(name)}: handle=${handle} was released by somebody else (expected: by its fence or token alone)`,
    );
    return false;
  }
}
