// Fresh and retired pages: where magazines get pages that are not in circulation, and where pages leave it.
//
// Any port may call when the pages lie in the pool's own memory. Lock-free. A page is taken by a compare-exchange of its home
// state, which is the truth; the fresh hint and the retired list only say where to look. The list is taken whole, never
// page by page, so a link is not read by two takers. What a thread killed here leaves: its record names the page or the
// list it was about to take.

import {
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_LINK_OFFSET,
  FLAG_OWN_MEMORY,
  FLAG_ZERO_ON_RELEASE,
  HEADER_FREED_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_AREA_MASK,
  HOME_FRESH,
  HOME_HELD,
  HOME_PORT_SHIFT,
  HOME_RETIRED,
  HOME_STATE_MASK,
  HOME_ZERO,
  NODE_COUNT_OFFSET,
  NODE_PAGES_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RELEASE_OFFSET,
  RECORD_CLAIM,
  RECORD_RETIRE,
  RECORD_TAKE,
  RETIRED_PAGE_BITS,
  RETIRED_PAGE_MASK,
} from '../../../assembly/layout.js';
import { RingSteps } from './ring.js';

/** Taking pages from the provider's side, and giving them back. */
export class SupplySteps extends RingSteps {
  /** Clears a page's bytes, where the pool promises that and this memory has them. The caller is alone with the page. */
  protected zero(page: number): void {
    const { flags, memory, pages, pageShift } = this;
    if ((flags & FLAG_ZERO_ON_RELEASE) === 0 || pages === 0) return;
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
    return (home & HOME_AREA_MASK) | ((portId + 1) << HOME_PORT_SHIFT) | zero | HOME_HELD;
  }

  /** Whether the page's bytes exist, growing the memory when they do not. */
  protected committed(page: number): boolean {
    const { flags, grow, pages, pageShift } = this;
    if ((flags & FLAG_OWN_MEMORY) === 0 || grow === undefined) return true;
    return grow((pages >>> 0) + page * 2 ** pageShift);
  }

  /** Takes one page from the provider's side into the magazine, if it is still in the state given. */
  protected claim(node: number, page: number, state: number): void {
    const { i32, port } = this;
    const home = this.descriptorAddress(page) + DESCRIPTOR_HOME_OFFSET;
    // A1 pairs with R4 in retire: whoever retired the page is done with it.
    const seen = this.aload(home);
    if ((seen & HOME_STATE_MASK) !== state) return;
    const hold = i32[(port + PORT_HOLD_OFFSET) >>> 2]!;
    this.recordPrivate(RECORD_CLAIM, page, 0, home, hold);
    // X2 pairs with X2 of other threads: one port takes the page. LP of entering circulation.
    if (this.acas(home, seen, this.circulating(seen)) === seen) {
      i32[(port + PORT_HOLD_OFFSET) >>> 2] = hold + 1; // plain: owner only; in-flight counts it before it can be handed out
      this.magazineAdd(node, page);
    }
    this.recordDone();
  }

  /** Fills the magazine with pages that were never given out. */
  protected takeFresh(node: number): void {
    const { i32, pageCount, magazineCapacity } = this;
    const hint = CONTROL_BASE + HEADER_FRESH_OFFSET;
    // N3 no ordering needed: a hint; the home states decide.
    let page = this.aload(hint);
    while (page <= pageCount && i32[(node + NODE_COUNT_OFFSET) >>> 2]! < magazineCapacity && this.committed(page)) {
      this.claim(node, page, HOME_FRESH);
      page += 1;
    }
    while (true) {
      // N5 no ordering needed: a hint.
      const seen = this.aload(hint);
      // N6 no ordering needed: a hint that only moves up.
      if (seen >= page || this.acas(hint, seen, page) === seen) return;
    }
  }

  /** Takes the whole retired list; its first page, 0 = none. Follow it with `takeRetired` until it returns 0. */
  protected takeRetiredList(): number {
    const head = CONTROL_BASE + HEADER_RETIRED_OFFSET;
    while (true) {
      // A7 pairs with X9 in retire: the links behind the head are visible.
      const seen = this.aload(head);
      if ((seen & RETIRED_PAGE_MASK) === 0) return 0;
      const next = ((seen >>> RETIRED_PAGE_BITS) + 1) << RETIRED_PAGE_BITS;
      this.recordExchange(RECORD_TAKE, head, seen, next, 0);
      // X8 pairs with X9 in retire: the list is one taker's. LP of taking it.
      if (this.acas(head, seen, next) === seen) return seen & RETIRED_PAGE_MASK;
      this.recordDone();
    }
  }

  /** Takes one page of a list into the magazine; the next one. */
  protected takeRetired(node: number, page: number): number {
    // Plain: the list was taken by an exchange and is this thread's.
    const next = this.i32[(this.descriptorAddress(page) + DESCRIPTOR_LINK_OFFSET) >>> 2]!;
    this.claim(node, page, HOME_RETIRED);
    return next;
  }

  /**
   * Puts a page that no one holds on the retired list. `leaves`: it was in circulation until now, so in-flight goes down; the pool
   * is not touched after that.
   */
  protected retire(page: number, leaves: boolean): void {
    const { i32, port } = this;
    const descriptor = this.descriptorAddress(page);
    const head = CONTROL_BASE + HEADER_RETIRED_OFFSET;
    // N10 no ordering needed: the page is this thread's alone.
    const home = this.aload(descriptor + DESCRIPTOR_HOME_OFFSET);
    const release = i32[(port + PORT_RELEASE_OFFSET) >>> 2]!;
    while (true) {
      // A11 pairs with X8 in takeRetiredList: the list we link to is the current one.
      const seen = this.aload(head);
      const next = (((seen >>> RETIRED_PAGE_BITS) + 1) << RETIRED_PAGE_BITS) | page;
      i32[(port + PORT_RECORD_PAGE_OFFSET) >>> 2] = page;
      this.recordExchange(RECORD_RETIRE, head, seen, next, 0);
      // R4 pairs with A1 in claim: the page's last user is done before it can be taken.
      this.astore(descriptor + DESCRIPTOR_HOME_OFFSET, (home & HOME_AREA_MASK) | HOME_RETIRED);
      // Plain: published by X9.
      i32[(descriptor + DESCRIPTOR_LINK_OFFSET) >>> 2] = seen & RETIRED_PAGE_MASK;
      // X9 pairs with A7 in takeRetiredList: link and home state are visible before the page can be found. LP of retiring.
      if (this.acas(head, seen, next) === seen) break;
    }
    this.recordDone();
    this.wake(CONTROL_BASE + HEADER_FREED_OFFSET);
    if (leaves) i32[(port + PORT_RELEASE_OFFSET) >>> 2] = release + 1; // plain: owner only; one way: the pool may end here
  }
}
