// A port's cache: a loaded magazine that only its thread touches, and a spare one that any port may take.
//
// Owner only, but for the spare word and the limit, which others write to take pages or to ask for them. Three tiers:
// the loaded magazine (fast, no atomics), the spare and the recycle ring (refill), the provider's side (slow). What a
// thread killed here leaves: its magazines, which the reaper returns, and at most one exchange in its record.

import {
  CONTROL_BASE,
  COUNTER_CACHE_FULL,
  COUNTER_EMPTY,
  COUNTER_FAIL,
  COUNTER_FAST,
  COUNTER_REFILL,
  COUNTER_RING,
  COUNTER_RING_FULL,
  COUNTER_SLOW,
  COUNTER_STOLEN,
  COUNTER_WAIVE,
  DESCRIPTOR_PINS_OFFSET,
  EMPTY,
  FULL,
  HEADER_FREED_OFFSET,
  HEADER_STATE_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_PAGES_OFFSET,
  OK,
  PORT_LIMIT_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RING_HEAD_OFFSET,
  PORT_RING_TAIL_OFFSET,
  PORT_SHIFT,
  PORT_SPARE_OFFSET,
  STATE_ACTIVE,
} from '../../../assembly/layout.js';
import { PinSteps } from './pin.js';

/** The three tiers that magazines are filled from, and the way back. */
export class CacheSteps extends PinSteps {
  /** Whether pages are still allocated. */
  protected isActive(): boolean {
    // A1 pairs with R1 in src/control/ending.ts close: a port that sees the pool closing returns its pages.
    return this.aload(CONTROL_BASE + HEADER_STATE_OFFSET) === STATE_ACTIVE;
  }

  /** How many pages the loaded magazine has. */
  protected filledOf(): number {
    const { i32, loaded } = this;
    return i32[(loaded + NODE_COUNT_OFFSET) >>> 2]!; // plain: owner only
  }

  /** Exchanges the loaded magazine and a port's spare. False: somebody else was there first. */
  protected exchangeSpare(spare: number, seen: number): boolean {
    const { i32, port, ring } = this;
    const stamp = (seen >>> ring.lapShift) + 1;
    const fill = this.filledOf() !== 0 ? ring.full : 0;
    const next = (stamp << ring.lapShift) | fill | i32[(port + PORT_LOADED_OFFSET) >>> 2]!;
    if (!this.exchange(ring, spare, seen, next, port + PORT_LOADED_OFFSET)) return false;
    this.recordDone();
    this.syncLoaded();
    return true;
  }

  /** Loads a port's spare magazine, if it is filled. Own or another's: the same step. */
  protected takeSpare(spare: number): boolean {
    while (true) {
      // A3 pairs with X1 in typescript/ring.ts exchange: the magazine's pages are visible with the word.
      const seen = this.aload(spare);
      if ((seen & this.ring.full) === 0) return false;
      if (this.exchangeSpare(spare, seen)) return true;
    }
  }

  /** Moves pages from the merge magazine into the loaded one; what does not fit goes back to the ring. */
  protected merge(): void {
    const { i32, port, ring, magazineCapacity } = this;
    const holder = port + PORT_MERGE_OFFSET;
    while (this.filledOf() < magazineCapacity >> 1) {
      if (this.ringPop(ring, holder, port + PORT_RING_HEAD_OFFSET, 0) === EMPTY) return;
      const from = this.nodeIn(ring, holder);
      let left = i32[(from + NODE_COUNT_OFFSET) >>> 2]!;
      while (left !== 0 && this.filledOf() < magazineCapacity) {
        left -= 1;
        // Plain: both magazines are this thread's. A page is in both for one store: a reaper takes equal tops for one
        // page.
        this.magazineAdd(this.loaded, i32[(from + NODE_PAGES_OFFSET + (left << 2)) >>> 2]!);
        i32[(from + NODE_COUNT_OFFSET) >>> 2] = left;
      }
      if (left !== 0) this.returnMagazine(holder);
    }
  }

  /**
   * Puts a filled magazine on the ring, or page by page on the retired list when the ring has no room. How many pages.
   */
  protected returnMagazine(holder: number): number {
    const { i32, ring } = this;
    const pages = i32[(this.nodeIn(ring, holder) + NODE_COUNT_OFFSET) >>> 2]!;
    if (pages === 0) return 0;
    if (this.ringPush(ring, holder, this.port + PORT_RING_TAIL_OFFSET, false, false) === FULL) {
      this.count(COUNTER_RING_FULL);
      this.retireMagazine(holder);
    }
    this.syncLoaded();
    this.wake(CONTROL_BASE + HEADER_FREED_OFFSET);
    return pages;
  }

  /** Gives every page of a magazine to the provider's side. How many. */
  protected retireMagazine(holder: number): number {
    const { i32 } = this;
    const node = this.nodeIn(this.ring, holder);
    const pages = i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
    for (let left = pages; left !== 0; left--) this.retireTop(node, left);
    return pages;
  }

  /** Gives the page on top of a magazine with `filled` pages to the provider's side. */
  protected retireTop(node: number, filled: number): void {
    const { i32 } = this;
    // Plain: this thread's magazine. The row goes up first: a page in a magazine counts as row 0, and outside it is
    // held.
    const page = i32[(node + NODE_PAGES_OFFSET + ((filled - 1) << 2)) >>> 2]!;
    this.setHeld(page, 1);
    i32[(node + NODE_COUNT_OFFSET) >>> 2] = filled - 1;
    this.retire(page, true);
  }

  /**
   * Gives the page on top to the provider's side, if it is wanted there: somebody has pinned it while it was in
   * circulation.
   */
  protected waive(): void {
    const { i32, loaded } = this;
    const filled = this.filledOf();
    const page = i32[(loaded + NODE_PAGES_OFFSET + ((filled - 1) << 2)) >>> 2]!;
    // N10 no ordering needed: a mark that is not seen now is seen when the page comes home.
    if (this.rload(this.descriptorAddress(page) + DESCRIPTOR_PINS_OFFSET) === 0) return;
    this.retireTop(loaded, filled);
    this.count(COUNTER_WAIVE);
  }

  /** Loads a magazine from the ring. */
  protected refillRing(): boolean {
    const { port, ring } = this;
    while (this.ringPop(ring, port + PORT_LOADED_OFFSET, port + PORT_RING_HEAD_OFFSET, 0) === OK) {
      this.syncLoaded();
      this.waive();
      this.merge();
      if (this.filledOf() !== 0) return true;
    }
    return false;
  }

  /** Fills the loaded magazine from fresh and listed pages. */
  protected refillSlow(): boolean {
    this.takeFresh(this.loaded);
    if (this.filledOf() === 0) this.takeListed(this.loaded);
    return this.filledOf() !== 0;
  }

  /** The block of the port `distance` places after this one. */
  protected neighbour(distance: number): number {
    const { maxPorts, portId, ports } = this;
    return ports + (((portId + distance) % maxPorts) << PORT_SHIFT);
  }

  /**
   * Whether this port would find a page where it searches first: 1 or 0. What other ports have in their spares is found
   * by `refill` alone, which reads every port.
   */
  hasPages(): number {
    if (this.filledOf() !== 0) return 1;
    // A12 pairs with X1 in typescript/ring.ts exchange: see A3.
    if ((this.aload(this.port + PORT_SPARE_OFFSET) & this.ring.full) !== 0) return 1;
    if (!this.isActive()) return 0;
    const isInRing = this.ringPop(this.ring, 0, this.port + PORT_RING_HEAD_OFFSET, 0) === OK;
    return isInRing || this.hasFresh() || this.hasListed() ? 1 : 0;
  }

  /** Takes another port's spare magazine. */
  protected steal(): boolean {
    for (let i = 1; i < this.maxPorts; i++) {
      if (this.takeSpare(this.neighbour(i) + PORT_SPARE_OFFSET)) return true;
    }
    return false;
  }

  /**
   * Asks every other port for its cached pages: each answers at its next release. Where it has some its bell is rung,
   * so that an idle thread answers as well.
   */
  press(): void {
    const { i32, maxPorts, portId, ring } = this;
    for (let i = 1; i < maxPorts; i++) {
      const other = this.neighbour(i);
      // N4 no ordering needed: a port that asked for nothing since keeps its request.
      // R5 pairs with A6 in answer: the request is seen at the port's next release.
      if (this.rload(other + PORT_LIMIT_OFFSET) !== 0) this.astore(other + PORT_LIMIT_OFFSET, 0);
      // Plain: another thread's words, and any value that ever stood there serves. A bell too many costs a probe.
      const node = ring.nodeAddress(i32[(other + PORT_LOADED_OFFSET) >>> 2]!);
      if (i32[(node + NODE_COUNT_OFFSET) >>> 2] !== 0) this.ringBell((portId + i) % maxPorts);
    }
  }

  /**
   * Fills the empty loaded magazine from the next tier that has pages, and counts where they came from. False: none
   * anywhere.
   */
  protected refill(): boolean {
    const { i32, port } = this;
    if (this.takeSpare(port + PORT_SPARE_OFFSET)) {
      this.count(COUNTER_FAST);
      return true;
    }
    // Unparked first: a pool that closes waits for ports that are not parked, so of the two one sees the other.
    if (i32[(port + PORT_PARKED_OFFSET) >>> 2] !== 0) this.unpark();
    if (!this.isActive()) return false;
    let source = COUNTER_REFILL;
    if (!this.refillRing()) {
      this.count(COUNTER_EMPTY);
      source = COUNTER_SLOW;
      if (!this.refillSlow()) {
        source = COUNTER_REFILL;
        if (this.steal()) this.count(COUNTER_STOLEN);
        else {
          this.press();
          source = COUNTER_FAIL;
        }
      }
    }
    this.count(source);
    return source !== COUNTER_FAIL;
  }

  /**
   * Makes room in the full loaded magazine. The hottest pages stay: the loaded one becomes the spare, the old spare
   * goes.
   */
  protected spill(): void {
    const { port } = this;
    const spare = port + PORT_SPARE_OFFSET;
    this.count(COUNTER_CACHE_FULL);
    while (true) {
      // N7 no ordering needed: the exchange decides.
      if (this.exchangeSpare(spare, this.aload(spare))) break;
    }
    if (this.filledOf() !== 0) this.countMany(COUNTER_RING, this.returnMagazine(port + PORT_LOADED_OFFSET));
  }

  /** Pushes both magazines into the ring. */
  protected flush(): void {
    const { port } = this;
    this.returnMagazine(port + PORT_LOADED_OFFSET);
    if (this.takeSpare(port + PORT_SPARE_OFFSET)) this.returnMagazine(port + PORT_LOADED_OFFSET);
  }

  /**
   * Answers a request for pages: the limit first, so that a request that comes meanwhile is answered at the next
   * release.
   */
  protected answer(): void {
    // A6 pairs with R5 in press: this limit is overwritten by later requests only.
    this.astore(this.port + PORT_LIMIT_OFFSET, this.magazineCapacity);
    this.flush();
    // N11 as N9: the request that this limit overwrote may have been the closing pool's. While somebody waits for pages
    // it stays, and each page that is released is published.
    if (!this.isActive() || this.isAwaited(CONTROL_BASE + HEADER_FREED_OFFSET))
      this.astore(this.port + PORT_LIMIT_OFFSET, 0);
  }

  /** Ends parking: pages may be cached again, unless the pool is closing. */
  unpark(): void {
    const { i32, port, magazineCapacity } = this;
    i32[(port + PORT_PARKED_OFFSET) >>> 2] = 0; // plain: owner only
    // R8 pairs with A1 in isActive: this store is ordered before the read of the state.
    this.astore(port + PORT_LIMIT_OFFSET, magazineCapacity);
    const isOpen = this.isActive();
    if (isOpen && !this.isAwaited(CONTROL_BASE + HEADER_FREED_OFFSET)) return;
    // N9 a pool that closes zeroes the limits after it changed its state: whichever of the two stores came last, it is
    // seen.
    this.astore(port + PORT_LIMIT_OFFSET, 0);
    if (!isOpen)
      i32[(port + PORT_PARKED_OFFSET) >>> 2] = 1; // plain: as it was; nothing was taken meanwhile
    // Others wait for pages: what a wait brought along beside its own is theirs.
    else this.flush();
  }
}
