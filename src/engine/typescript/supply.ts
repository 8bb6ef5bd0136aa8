// Fresh and retired pages: where magazines get pages that are not in circulation, and where pages leave it.
//
// Any port; lock-free. A page is taken by a compare-exchange of its home state, which is the truth; the fresh hint, the
// bits and their hints only name places to check, so a bit too many costs a check, and a reaper in doubt sets it
// again. Pages that retire in the pool's own memory are taken again by any port: retired bits and supply bits are the
// same. Elsewhere the owner takes them out of the retired bits, for their provider, and lists those that it feeds in
// the supply bits. What a thread killed here leaves: its record names the page.

import {
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  FLAG_OWN_MEMORY,
  FLAG_ZERO_ON_RELEASE,
  HEADER_FREED_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_HELD,
  HOME_PORT_SHIFT,
  HOME_RESERVE,
  HOME_RETIRED,
  HOME_STAMP_MASK,
  HOME_STAMP_SHIFT,
  HOME_STATE_MASK,
  HOME_ZERO,
  NODE_COUNT_OFFSET,
  NODE_PAGES_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RELEASE_OFFSET,
  RECORD_CLAIM,
  RECORD_INDEX_SHIFT,
  RECORD_RETIRE,
  RETIRED_INDEX_BITS,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
} from '../../../assembly/layout.js';
import { RingSteps } from './ring.js';

/** Taking pages from the provider's side, and giving them back. */
export class SupplySteps extends RingSteps {
  /** Clears a page's bytes, where the pool promises that. The caller is alone with the page. */
  protected zero(page: number): void {
    const { clear, flags, memory, ownPages, pages, pageShift } = this;
    if ((flags & FLAG_ZERO_ON_RELEASE) === 0) return;
    if (page > ownPages) {
      clear(page);
      return;
    }
    const end = (pages >>> 0) + page * 2 ** pageShift;
    memory.reach(end).fill(0, end - 2 ** pageShift, end);
  }

  /** Adds a page to a magazine of this port: content first, then the count. */
  protected magazineAdd(node: number, page: number): void {
    const { i32 } = this;
    // Plain: the magazine is this thread's until an exchange publishes it.
    const count = i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
    i32[(node + NODE_PAGES_OFFSET + (count << 2)) >>> 2] = page;
    i32[(node + NODE_COUNT_OFFSET) >>> 2] = count + 1;
  }

  protected circulating(home: number): number {
    const { flags, portId } = this;
    const zero = (flags & FLAG_ZERO_ON_RELEASE) !== 0 ? HOME_ZERO : 0;
    const stamp = (home & (HOME_STAMP_MASK | HOME_RESERVE)) + (1 << HOME_STAMP_SHIFT);
    return stamp | ((portId + 1) << HOME_PORT_SHIFT) | zero | HOME_HELD;
  }

  /** Whether the page's bytes exist, growing the memory when they do not. */
  protected committed(page: number): boolean {
    const { flags, grow, pages, pageShift } = this;
    if ((flags & FLAG_OWN_MEMORY) === 0 || grow === undefined) return true;
    return grow((pages >>> 0) + page * 2 ** pageShift);
  }

  /**
   * Whether any port may take a page with that home word: a fresh one, or one that retired in the pool's own memory.
   */
  protected isSupply(home: number): boolean {
    const state = home & (HOME_STATE_MASK | HOME_RESERVE);
    return (state & HOME_STATE_MASK) === HOME_FRESH || state === ((this.flags >> 2) & HOME_RETIRED);
  }

  /** Takes one page from the provider's side into the magazine, if it is there; `listed`: its bit is set. */
  protected claim(node: number, page: number, listed: boolean): void {
    const { i32, port } = this;
    const descriptor = this.descriptorAddress(page);
    const home = descriptor + DESCRIPTOR_HOME_OFFSET;
    const hold = i32[(port + PORT_HOLD_OFFSET) >>> 2]!;
    this.recordPrivate(RECORD_CLAIM, page, 0, 0, hold);
    // X7 pairs with X4 in retire: the bit goes before the state is read, so that a page retired from here on has
    // its own.
    if (listed) this.aand(this.bitsOf(this.supplyBits, page), ~(1 << (page & 31)));
    // A1 pairs with X4 in retire: whoever retired the page is done with it.
    const seen = this.aload(home);
    const next = this.circulating(seen);
    i32[(port + PORT_RECORD_ADDRESS_OFFSET) >>> 2] = next;
    // X2 pairs with X2 of other threads: one port takes the page. LP of entering circulation.
    if (this.isSupply(seen) && this.acas(home, seen, next) === seen) {
      // plain: owner only; in-flight counts it before it can be taken
      i32[(port + PORT_HOLD_OFFSET) >>> 2] = hold + 1;
      // Plain: the mark of its last leaving goes, which is this thread's to clear. A fresh page has none, and may get a
      // pin by which the owner calls it back; those that retire here are never called back.
      if ((seen & HOME_STATE_MASK) === HOME_RETIRED) i32[(descriptor + DESCRIPTOR_PINS_OFFSET) >>> 2] = 0;
      this.magazineAdd(node, page);
    }
    this.recordDone();
  }

  /** Fills the magazine with fresh pages. */
  protected takeFresh(node: number): void {
    const { i32, pageCount, magazineCapacity } = this;
    const hint = CONTROL_BASE + HEADER_FRESH_OFFSET;
    // N3 no ordering needed: a hint; the home states decide.
    const seen = this.rload(hint);
    let page = seen;
    while (page <= pageCount && i32[(node + NODE_COUNT_OFFSET) >>> 2]! < magazineCapacity && this.committed(page)) {
      this.claim(node, page, false);
      page += 1;
    }
    // N5 no ordering needed: a hint that only moves up; where another moved it meanwhile, it stays.
    this.acas(hint, seen, page);
  }

  /** The word of the bits that has the page's. */
  protected bitsOf(bits: number, page: number): number {
    return bits + ((page >>> RETIRED_WORD_SHIFT) << 2);
  }

  /** Whether there may be a fresh page. */
  protected hasFresh(): boolean {
    // N6 no ordering needed: see N3.
    return this.rload(CONTROL_BASE + HEADER_FRESH_OFFSET) <= this.pageCount;
  }

  /** Whether a bit of a page is set; moves the hint on to it. */
  protected hasListed(): boolean {
    const { pageCount, supplyBits, supplyHint: hint } = this;
    // A15 pairs with X8 in list: see A11.
    const seen = this.aload(hint);
    const last = pageCount >>> RETIRED_WORD_SHIFT;
    const first = seen & RETIRED_INDEX_MASK;
    let index = first;
    // N16 no ordering needed: see N12.
    while (index <= last && this.rload(supplyBits + (index << 2)) === 0) index += 1;
    // X17 pairs with X8 in list: see X13.
    if (index !== first) this.acas(hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | index);
    return index <= last;
  }

  /** Fills the magazine with pages whose bits are set. */
  protected takeListed(node: number): void {
    const { i32, pageCount, magazineCapacity, supplyBits } = this;
    const hint = this.supplyHint;
    // A11 pairs with X8 in list: bits set before the hint was moved down are seen.
    const seen = this.aload(hint);
    let index = seen & RETIRED_INDEX_MASK;
    while (index <= pageCount >>> RETIRED_WORD_SHIFT && i32[(node + NODE_COUNT_OFFSET) >>> 2]! < magazineCapacity) {
      // N12 no ordering needed: a bit names a place to check; the home states decide.
      const bits = this.rload(supplyBits + (index << 2));
      if (bits === 0) index += 1;
      else this.claim(node, (index << RETIRED_WORD_SHIFT) + 31 - Math.clz32(bits & -bits), true);
    }
    // X13 pairs with X8 in list: a page retired meanwhile has moved the hint, and it stays.
    this.acas(hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | index);
  }

  /** Makes a retired page findable. Doing it twice is harmless. */
  protected list(page: number): void {
    const hint = CONTROL_BASE + HEADER_RETIRED_OFFSET;
    const index = page >>> RETIRED_WORD_SHIFT;
    // X9 pairs with X7 in claim: the page's state is visible to whoever clears the bit.
    this.aor(this.bitsOf(this.retiredBits, page), 1 << (page & 31));
    while (true) {
      // N10 no ordering needed: the exchange decides.
      const seen = this.rload(hint);
      const at = seen & RETIRED_INDEX_MASK;
      const next = (((seen >>> RETIRED_INDEX_BITS) + 1) << RETIRED_INDEX_BITS) | (index < at ? index : at);
      // X8 pairs with X13 in takeListed: whoever checked before us does not move the hint past our bit.
      if (this.acas(hint, seen, next) === seen) return;
    }
  }

  /**
   * Gives a page that only this thread holds (its row is 1, or it left pinned) to the provider's side. `leaves`: it was
   * in circulation until now, so in-flight goes down; the pool is not touched after that.
   */
  protected retire(page: number, leaves: boolean): void {
    const { i32, port } = this;
    const home = this.descriptorAddress(page) + DESCRIPTOR_HOME_OFFSET;
    // N14 no ordering needed: the page is this thread's alone.
    const seen = this.rload(home);
    const release = i32[(port + PORT_RELEASE_OFFSET) >>> 2]!;
    this.recordPrivate(leaves ? RECORD_RETIRE | (1 << RECORD_INDEX_SHIFT) : RECORD_RETIRE, page, 0, seen, release);
    this.setHeld(page, 0);
    // X4 pairs with A1 in claim: the page's last user is done before it can be taken. LP of retiring. It fails only
    // where a reaper finished this step for a dead port.
    this.acas(home, seen, (seen & (HOME_STAMP_MASK | HOME_RESERVE)) | HOME_RETIRED);
    this.list(page);
    this.wake(CONTROL_BASE + HEADER_FREED_OFFSET);
    // plain: owner only; one way: the pool may end here
    if (leaves) i32[(port + PORT_RELEASE_OFFSET) >>> 2] = release + 1;
    this.recordDone();
  }
}
