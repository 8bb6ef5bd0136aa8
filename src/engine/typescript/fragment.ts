// Fragments: parts of one open page a port, cut without atomics.
//
// Owner only. The open page's count carries a bias of 2^29; cuts are counted in the port, `users`, and releases by
// others take the count down as they take any. Leaving the page takes off BIAS - users in one step, and what remains
// is exactly the references that are out; if none is, the page is reused in place. {offset, users} is one store.

import {
  BIAS,
  COUNTER_FAST,
  COUNTER_FRAGMENTS,
  COUNTER_RECYCLED,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  HOME_FRAGMENTED,
  HOME_OPENER_MASK,
  HOME_OPENER_SHIFT,
  HOME_RESERVE,
  HOME_TAINTED,
  HOME_ZERO,
  LEDGER_MAX,
  NODE_COUNT_OFFSET,
  NODE_PAGES_OFFSET,
  PORT_FRAGMENT_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  RECORD_LEAVE,
  RECORD_NONE,
} from '../../../assembly/layout.js';
import { RefcountSteps } from './refcount.js';

/** Cutting fragments. */
export class FragmentSteps extends RefcountSteps {
  /**
   * A fragment of `bytes` bytes (1..pageBytes), or 0 when there is no page. No atomics while the open page has room.
   */
  allocFragment(bytes: number): number {
    const { i32, port, unitBytesShift, unitsPerPageShift } = this;
    const units = (bytes + (1 << unitBytesShift) - 1) >>> unitBytesShift;
    // Plain throughout: the open page, its offset and its words are this thread's until the handle is passed on.
    const page = i32[(port + PORT_FRAGMENT_PAGE_OFFSET) >>> 2]!;
    const cut = i32[(port + PORT_FRAGMENT_OFFSET) >>> 2]!;
    const first = cut >>> 16;
    const row = this.held(page);
    // A page of which this port has as many references as its row can count is left: another one has room.
    if (page === 0 || first + units > 1 << unitsPerPageShift || row === LEDGER_MAX)
      return this.allocFragmentSlow(bytes, units);
    return this.cutAt(page, cut, first, units, row);
  }

  protected cutAt(page: number, cut: number, first: number, units: number, row: number): number {
    const { i32, u16, port } = this;
    const unit = (page << this.unitsPerPageShift) + first;
    const place = this.wordAddress(unit) >>> 2;
    const word = i32[place]!;
    const handle = this.handleOf(unit, word);
    const extent = this.extentAddress(unit) >>> 1;
    const index = this.rowIndex(page);
    const counter = this.counters + (COUNTER_FRAGMENTS >>> 2);
    this.recordCut(row, cut);
    // No call from here on: the stack cannot end between these stores.
    i32[place] = word + 1;
    u16[extent] = units;
    i32[(port + PORT_FRAGMENT_OFFSET) >>> 2] = (cut + (units << 16) + 1) | 0;
    u16[index] = row + 1;
    i32[(port + PORT_RECORD_KIND_OFFSET) >>> 2] = RECORD_NONE;
    if (++i32[counter]! === 0) i32[counter + 1]!++; // as `count`
    return handle;
  }

  /** Opens a page for the cut; more than half a page is a whole one. */
  protected allocFragmentSlow(bytes: number, units: number): number {
    const { i32, port, touchStack } = this;
    if (bytes > (1 << this.pageShift) >> 1) return this.alloc();
    touchStack();
    const isReused = this.leaveFragmentPage(true);
    if (isReused || i32[(this.loaded + NODE_COUNT_OFFSET) >>> 2] !== 0) this.count(COUNTER_FAST);
    else if (!this.refill()) return 0;
    if (!isReused) this.openFragmentPage();
    // A page that was just opened has nobody who holds it, this port neither.
    return this.cutAt(i32[(port + PORT_FRAGMENT_PAGE_OFFSET) >>> 2]!, 0, 0, units, 0);
  }

  /** Takes the cached page on top as the open fragment page. */
  protected openFragmentPage(): void {
    const { i32, loaded, port, portId } = this;
    const filled = i32[(loaded + NODE_COUNT_OFFSET) >>> 2]!;
    const page = i32[(loaded + NODE_PAGES_OFFSET - 4 + (filled << 2)) >>> 2]!;
    const descriptor = this.descriptorAddress(page);
    // In this order: a page that is open and on top of the magazine is in the magazine; one that is open with a count
    // of 1 is home.
    i32[(port + PORT_FRAGMENT_OFFSET) >>> 2] = 0;
    i32[(port + PORT_FRAGMENT_PAGE_OFFSET) >>> 2] = page;
    i32[(loaded + NODE_COUNT_OFFSET) >>> 2] = filled - 1;
    // N1 no ordering needed: the page is this thread's alone.
    const home = this.rload(descriptor + DESCRIPTOR_HOME_OFFSET) & ~HOME_OPENER_MASK;
    const opener = (portId + 1) << HOME_OPENER_SHIFT;
    i32[(descriptor + DESCRIPTOR_HOME_OFFSET) >>> 2] = home | HOME_FRAGMENTED | opener; // plain: likewise
    // N2 no ordering needed: nobody has a reference yet; the handles publish it.
    this.astore(descriptor + DESCRIPTOR_COUNT_OFFSET, BIAS);
  }

  /**
   * Gives the open page's bias back. True: nobody was left and `reuse` was set, so the page is open again from its
   * start. False: no page is open now.
   */
  protected leaveFragmentPage(reuse: boolean): boolean {
    const { i32, port } = this;
    const fragmentPage = port + PORT_FRAGMENT_PAGE_OFFSET;
    const fragment = port + PORT_FRAGMENT_OFFSET;
    const page = i32[fragmentPage >>> 2]!;
    if (page === 0) return false;
    const cut = i32[fragment >>> 2]!;
    const descriptor = this.descriptorAddress(page);
    const counter = descriptor + DESCRIPTOR_COUNT_OFFSET;
    const bias = BIAS - (cut & 0xffff);
    this.recordPrivate(RECORD_LEAVE, page, this.held(page), 0, cut);
    while (true) {
      // A3 pairs with X8 in typescript/refcount.ts releaseShared: whoever gave its fragment back is done with the
      // bytes.
      const references = this.aload(counter);
      if (references === bias) {
        // Nobody holds a fragment, so nobody else can write the count. Plain: no holder, so neither a pin nor a taint
        // can come. A page with one, to be cleared, or of a reserve goes home the long way.
        const special = i32[(descriptor + DESCRIPTOR_HOME_OFFSET) >>> 2]! & (HOME_TAINTED | HOME_ZERO | HOME_RESERVE);
        // A7 pairs with X6 in typescript/pin.ts unpin: an outsider that is done with the page is done before it is used
        // again.
        if (reuse && (special | this.rload(descriptor + DESCRIPTOR_PINS_OFFSET)) === 0) {
          // The port's word first: by it a reaper knows that the count is to be BIAS.
          i32[fragment >>> 2] = 0;
          // N4 no ordering needed: sole owner.
          this.astore(counter, BIAS);
          this.recordDone();
          this.count(COUNTER_RECYCLED);
          return true;
        }
        // the page becomes an ordinary one with one holder, and is recycled as such; by the row a reaper knows
        this.setHeld(page, 1);
        // N5 no ordering needed: sole owner.
        this.astore(counter, 1);
        i32[fragmentPage >>> 2] = 0;
        this.recordDone();
        this.releaseShared(page, 1);
        return false;
      }
      // X6 pairs with A6 in typescript/refcount.ts releaseShared: from here on the count is the references that are
      // out. LP of leaving.
      if (this.acas(counter, references, references - bias) === references) break;
    }
    i32[fragmentPage >>> 2] = 0;
    this.recordDone();
    return false;
  }
}
