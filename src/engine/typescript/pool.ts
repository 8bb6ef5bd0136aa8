// Whole-pool calls of a port: bursts, views' arithmetic, parking, trimming, closing.
//
// The port's own thread only. Each is a loop or a sequence of the steps of other files and adds no protocol of its own:
// a thread killed here leaves what those steps leave.

import {
  COUNTER_RECYCLED,
  EMPTY,
  NODE_COUNT_OFFSET,
  OK,
  PORT_LIMIT_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RING_HEAD_OFFSET,
} from '../../../assembly/layout.js';
import { CallSteps } from './call.js';

/** Bursts, parking and closing. */
export class PoolSteps extends CallSteps {
  /** Writes up to `count` page handles at `address`; how many. No atomics while the cache has pages. */
  allocBurst(address: number, count: number): number {
    const { i32, touchStack } = this;
    // Plain: owner only. One run asks for nothing: it is entered before its first store, and enters nothing.
    if (i32[(this.loaded + NODE_COUNT_OFFSET) >>> 2]! < count) touchStack();
    let done = 0;
    while (done < count) {
      const filled = i32[(this.loaded + NODE_COUNT_OFFSET) >>> 2]!; // plain: owner only
      if (filled === 0) {
        const handle = this.refillTop();
        if (handle === 0) break;
        i32[(address + (done << 2)) >>> 2] = handle;
        done += 1;
        continue;
      }
      const run = Math.min(filled, count - done);
      this.takeRun(address + (done << 2), filled, run);
      done += run;
    }
    return done;
  }

  /** Releases handles from the front until one is refused; how many. */
  releaseBulk(address: number, count: number): number {
    const { i32, touchStack } = this;
    touchStack();
    let done = 0;
    while (true) {
      const run = this.releaseRun(address + (done << 2), count - done);
      this.countMany(COUNTER_RECYCLED, run);
      done += run;
      if (done === count || this.release(i32[(address + (done << 2)) >>> 2]!, false) !== OK) return done;
      done += 1;
    }
  }

  /** The fragment's first byte in this memory, as an int32, or 0 when the handle is refused. */
  offset(handle: number): number {
    if (this.inspect(handle) !== OK) return 0;
    return (this.pages + ((this.unitOf(handle) - (1 << this.unitsPerPageShift)) << this.unitBytesShift)) | 0;
  }

  /** Bytes reserved for the fragment, or a code. */
  extent(handle: number): number {
    const code = this.inspect(handle);
    return code !== OK ? code : this.extentBytes(this.unitOf(handle));
  }

  /** Why the last burst stopped early. */
  lastError(): number {
    return this.lastCode;
  }

  /** Returns the magazines and the fragment page; releases go through to the ring until `unpark`. */
  park(): void {
    const { i32, port } = this;
    i32[(port + PORT_PARKED_OFFSET) >>> 2] = 1; // plain: owner only
    // N1 no ordering needed: this thread reads it; requests of others store the same 0.
    this.astore(port + PORT_LIMIT_OFFSET, 0);
    this.leaveFragmentPage(false);
    this.flush();
  }

  /** Does what others asked of this port: returns its pages under pressure, parks when the pool closes. */
  poll(): void {
    const { i32, port } = this;
    // By the state, not by the limit: who read the end before the limit was lowered may not be called again.
    if (!this.isActive()) this.park();
    // A2 pairs with R5 in typescript/cache.ts press: a request made before is seen.
    else if (this.aload(port + PORT_LIMIT_OFFSET) === 0 && i32[(port + PORT_PARKED_OFFSET) >>> 2] === 0) this.answer();
  }

  /** Gives the pages in the ring to the provider's side; how many. This port's own go first. */
  trim(): number {
    const wasParked = this.i32[(this.port + PORT_PARKED_OFFSET) >>> 2] !== 0;
    this.park();
    const returned = this.drainRing();
    if (!wasParked) this.unpark();
    return returned;
  }

  protected drainRing(): number {
    const holder = this.port + PORT_MERGE_OFFSET;
    const hint = this.port + PORT_RING_HEAD_OFFSET;
    let returned = 0;
    while (this.ringPop(this.ring, holder, hint, 0) !== EMPTY) returned += this.retireMagazine(holder);
    return returned;
  }

  /**
   * Closing: closes and drains the channels, parks, gives everything in the ring to the provider's side; pages given.
   */
  scrub(): number {
    for (let channel = 0; channel < this.lanes.length; channel++) {
      this.closeChannel(channel);
      this.drainChannel(channel);
    }
    this.park();
    return this.drainRing();
  }
}
