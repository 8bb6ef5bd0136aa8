// References: the page count, the fragment words and the row together; and the way home of a page without users.
//
// Any thread, each with rows of its own; lock-free. The page count is the authority on when a page goes home. It is 1
// in every container and never 0: it only moves by compare-exchange from c >= 2 to c - 1, and whoever reads 1 is the
// last holder. What a thread killed between "ledger down" and the count's exchange leaves is one reference too many on
// that page: a reaper marks it suspect.
//
// A port whose row is the page count has all references there are: nobody else may write the count or a fragment word
// of the page, so the port writes them plainly. It reads the count first, and the word then. Whoever gives a reference
// back lowers the word before the count, so a word read behind a count without the others is without them, too.

import {
  COUNTER_FAST,
  COUNTER_RECYCLED,
  COUNTER_REJECTED,
  COUNTER_RELEASED_REFCNT,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  ERR_FOREIGN_HANDLE,
  ERR_NOT_HELD,
  ERR_REF_OVERFLOW,
  ERR_STALE_HANDLE,
  HOME_FRAGMENTED,
  HOME_RESERVE,
  HOME_SLOW_MASK,
  HOME_TAINTED,
  HOME_USE_MASK,
  LEDGER_MAX,
  NODE_COUNT_OFFSET,
  NODE_PAGES_OFFSET,
  OK,
  PORT_COUNTING_OFFSET,
  PORT_FRAGMENT_OFFSET,
  PORT_LIMIT_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  RECORD_NONE,
  WORD_GENERATION_SHIFT,
  WORD_HOLDERS_MASK,
} from '../../../assembly/layout.js';
import { CacheSteps } from './cache.js';

/** References on pages and fragments. */
export class RefcountSteps extends CacheSteps {
  /** Takes the page on top of a magazine with `filled` pages: ledger up, then pop. */
  protected takeTop(node: number, filled: number): number {
    const { i32, u16 } = this;
    // Plain throughout: the magazine is this thread's, and a page in it has no holder who could write its word or rows.
    const page = i32[(node + NODE_PAGES_OFFSET - 4 + (filled << 2)) >>> 2]!;
    const unit = page << this.unitsPerPageShift;
    const place = this.wordAddress(unit) >>> 2;
    const word = i32[place]!;
    const handle = this.handleOf(unit, word);
    const row = this.rowIndex(page);
    // No call from here on: the stack cannot end between these stores.
    u16[row] = 1;
    i32[(node + NODE_COUNT_OFFSET) >>> 2] = filled - 1;
    i32[place] = word + 1;
    return handle;
  }

  /**
   * Takes `run` pages from the top of the loaded magazine, which has `filled`, and writes their handles at `address`.
   * What takeTop does to one, for all at a time: the rows, the magazine's count once, then the words, then the counter.
   * It enters nothing: where the stack has room for its frame, it ends.
   */
  protected takeRun(address: number, filled: number, run: number): void {
    const { counters, i32, u16, unitsPerPageShift, unitBits, generationSeed, loaded } = this;
    const row = this.ledger >>> 1;
    const words = this.words >>> 2;
    const to = address >>> 2;
    // Plain throughout, as in takeTop. A page with a row that is in the magazine yet was given to nobody.
    const top = ((loaded + NODE_PAGES_OFFSET) >>> 2) + filled - 1;
    for (let i = 0; i < run; i++) u16[row + i32[top - i]!] = 1;
    i32[(loaded + NODE_COUNT_OFFSET) >>> 2] = filled - run;
    for (let i = 0; i < run; i++) {
      const unit = i32[top - i]! << unitsPerPageShift;
      const word = i32[words + unit]!;
      i32[words + unit] = word + 1;
      i32[to + i] = (((word >>> WORD_GENERATION_SHIFT) ^ generationSeed) << unitBits) | unit;
    }
    const at = counters + (COUNTER_FAST >>> 2);
    const low = (i32[at]! + run) | 0;
    i32[at] = low; // as `countMany`, and no call
    if (low >>> 0 < run) i32[at + 1]! += 1;
  }

  /** A whole page, or 0 when there is none. Any port's thread. No atomics when the cache hits. */
  alloc(): number {
    const node = this.loaded;
    const filled = this.i32[(node + NODE_COUNT_OFFSET) >>> 2]!; // plain: owner only
    if (filled === 0) return this.allocRefill();
    this.count(COUNTER_FAST);
    return this.takeTop(node, filled);
  }

  protected allocRefill(): number {
    const { touchStack } = this;
    touchStack();
    return this.refillTop();
  }

  /** Fills the empty loaded magazine, and takes its top. */
  protected refillTop(): number {
    if (!this.refill()) return 0;
    return this.takeTop(this.loaded, this.i32[(this.loaded + NODE_COUNT_OFFSET) >>> 2]!);
  }

  /** Whether the handle is the one reference of a plain page, and this port's. `word` is the one of its unit. */
  protected isPlain(handle: number, word: number, page: number): boolean {
    const descriptor = this.descriptorAddress(page);
    // A2 pairs with X8 in releaseShared: whoever gave its reference back is done with the bytes. Only stores follow,
    // and they depend on the value read, which no machine lets them overtake; a count of 1 seen by a holder stays 1.
    const references = this.rload(descriptor + DESCRIPTOR_COUNT_OFFSET);
    // A3 pairs with X6 in typescript/pin.ts unpin: likewise for a pin; with one holder no pin can come.
    const pins = this.rload(descriptor + DESCRIPTOR_PINS_OFFSET);
    // Plain: the home state of a page with one holder is written by nobody else.
    const special = this.i32[(descriptor + DESCRIPTOR_HOME_OFFSET) >>> 2]! & HOME_SLOW_MASK;
    // The generation, to the handle's last bit, and one holder: one comparison of the word with its halves swapped.
    const swapped = ((word ^ 1) << WORD_GENERATION_SHIFT) | (word >>> WORD_GENERATION_SHIFT);
    const wrong = swapped ^ this.generationSeed ^ (handle >>> this.unitBits);
    return (wrong | (references ^ 1) | pins | special | (this.held(page) ^ 1)) === 0;
  }

  /**
   * Recycles a plain page into a cache with room, if the handle is its one reference and this port's. False: nothing
   * changed, and `releaseChecked` finds out. No atomics.
   */
  protected releaseFast(handle: number, unit: number, page: number): boolean {
    const { i32, u16 } = this;
    const address = this.wordAddress(unit);
    // N1 no ordering needed: only holders change the word of a live handle, and a stale one is refused whatever is
    // read.
    const word = this.rload(address);
    if (!this.isPlain(handle, word, page)) return false;
    const node = this.loaded;
    const filled = i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
    // N4 no ordering needed: a request that is not seen now is seen at the next release.
    if (filled >= this.rload(this.port + PORT_LIMIT_OFFSET)) return false;
    const vacated = this.vacated(word);
    const row = this.rowIndex(page);
    // Plain: sole holder of the page. The word, the page into the magazine, its count, then the row: a page in a dead
    // port's magazine counts as row 0. No call from here on: the stack cannot end between these stores.
    i32[address >>> 2] = vacated;
    i32[(node + NODE_PAGES_OFFSET + (filled << 2)) >>> 2] = page;
    i32[(node + NODE_COUNT_OFFSET) >>> 2] = filled + 1;
    u16[row] = 0;
    return true;
  }

  /**
   * Recycles the plain pages that the `count` handles at `address` start with, as far as the cache has room; how many.
   * What releaseFast does to one, for all at a time: words and pages, the magazine's count once, then the rows.
   */
  protected releaseRun(address: number, count: number): number {
    const { i32, u16, loaded, unitLimit } = this;
    const row = this.ledger >>> 1;
    const from = address >>> 2;
    const filled = i32[(loaded + NODE_COUNT_OFFSET) >>> 2]!;
    // N23 no ordering needed: a request that is not seen now is seen at the next release.
    const room = this.rload(this.port + PORT_LIMIT_OFFSET) - filled;
    const first = ((loaded + NODE_PAGES_OFFSET) >>> 2) + filled;
    const most = Math.min(count, room);
    let run = 0;
    for (; run < most; run++) {
      const handle = i32[from + run]!;
      const unit = this.unitOf(handle);
      if (unit >= unitLimit) break;
      const page = this.pageOf(unit);
      // N24 no ordering needed: as N1. A handle that stands here twice is stale the second time.
      const word = this.rload(this.wordAddress(unit));
      if (!this.isPlain(handle, word, page)) break;
      // Plain, as in releaseFast.
      i32[this.wordAddress(unit) >>> 2] = this.vacated(word);
      i32[first + run] = page;
    }
    i32[(loaded + NODE_COUNT_OFFSET) >>> 2] = filled + run;
    for (let i = 0; i < run; i++) u16[row + i32[first + i]!] = 0;
    return run;
  }

  /**
   * Gives one reference back. OK, or a code and nothing changed. No atomics for the last one when the cache has room.
   * `touches`: the long ways ask for room on the stack, which in the middle of a call is there already.
   */
  release(handle: number, touches = true): number {
    const { counters, i32 } = this;
    const unit = this.unitOf(handle);
    const page = this.pageOf(unit);
    // Plain: owner only. Asked first: a page that is open for fragments never passes the fast check.
    if (unit >= this.unitLimit || page === i32[this.openPage]) return this.releaseCut(handle, unit, page, touches);
    if (!this.releaseFast(handle, unit, page)) return this.releaseChecked(handle, unit, page, touches);
    const at = counters + (COUNTER_RECYCLED >>> 2);
    if (++i32[at]! === 0) i32[at + 1]!++; // as `count`, and no call
    return OK;
  }

  /**
   * Takes a cut back on the own open page: users down instead of the count, so no atomics. What is none, or was cut
   * into others' users, goes the long way.
   */
  protected releaseCut(handle: number, unit: number, page: number, touches: boolean): number {
    const { i32, u16, port } = this;
    if (unit >= this.unitLimit) return this.reject(ERR_FOREIGN_HANDLE);
    const fragment = this.port + PORT_FRAGMENT_OFFSET;
    // N22 no ordering needed: as N1.
    const word = this.rload(this.wordAddress(unit));
    const row = this.held(page);
    const cut = i32[fragment >>> 2]!; // plain: owner only
    // The generation, to the handle's last bit, and one holder, as in releaseFast.
    const swapped = ((word ^ 1) << WORD_GENERATION_SHIFT) | (word >>> WORD_GENERATION_SHIFT);
    const wrong = swapped ^ this.generationSeed ^ (handle >>> this.unitBits);
    if (wrong !== 0 || row === 0 || (cut & 0xffff) === 0) return this.releaseChecked(handle, unit, page, touches);
    const address = this.wordAddress(unit);
    const vacated = this.vacated(word);
    const index = this.rowIndex(page);
    this.recordCut(row, cut);
    // No call from here on; a record that was opened, and nothing behind it, changes nothing.
    i32[address >>> 2] = vacated; // plain: the fragment's only holder
    u16[index] = row - 1;
    i32[fragment >>> 2] = cut - 1;
    i32[(port + PORT_RECORD_KIND_OFFSET) >>> 2] = RECORD_NONE;
    return OK;
  }

  /**
   * Releases one reference, whatever it takes, or returns why not. The unit is one of the pool's. `touches`: it asks
   * for room on the stack.
   */
  protected releaseChecked(handle: number, unit: number, page: number, touches: boolean): number {
    // A20 pairs with X8 in releaseShared: no reference of another port counts, so its word was written. Before the
    // word.
    const references = this.aload(this.descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET);
    // N18 no ordering needed: as N1; where the count is not the row, the exchange decides.
    const word = this.rload(this.wordAddress(unit));
    if (!this.matches(handle, word)) return this.reject(ERR_STALE_HANDLE);
    const row = this.held(page);
    if (row === 0) return this.reject(ERR_NOT_HELD);
    if (references === row && row !== 1) return this.releaseOwn(unit, word, page, row);
    const { touchStack } = this;
    if (touches) touchStack(); // all from here on enter something once they have begun to store
    if (references !== row) return this.releaseSlow(unit, word, page, row);
    this.i32[this.wordAddress(unit) >>> 2] = this.lowered(word); // plain, as in releaseOwn
    this.recycle(page);
    return OK;
  }

  /** The word with one holder fewer; free when it was the last. */
  protected lowered(word: number): number {
    return (word & WORD_HOLDERS_MASK) === 1 ? this.vacated(word) : word - 1;
  }

  protected reject(code: number): number {
    this.count(COUNTER_REJECTED);
    return code;
  }

  /** All references of the page are this port's, and it keeps some: no atomics. The handle was checked. */
  protected releaseOwn(unit: number, word: number, page: number, row: number): number {
    const { i32, u16, port } = this;
    const address = this.wordAddress(unit);
    const counter = this.descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET;
    const index = this.rowIndex(page);
    const next = this.lowered(word);
    // Plain throughout: nobody else holds the page, so nobody else writes its words. The word first.
    i32[address >>> 2] = next;
    // The row last: a reaper that finds it ahead of the count releases down to a count of 1, and then all of the page.
    // No call in here: the stack cannot end between these stores.
    i32[(port + PORT_COUNTING_OFFSET) >>> 2] = page;
    i32[counter >>> 2] = row - 1;
    u16[index] = row - 1;
    i32[(port + PORT_COUNTING_OFFSET) >>> 2] = 0;
    return OK;
  }

  /** A page of which others have references, too, or which is open for fragments. The handle was checked. */
  protected releaseSlow(unit: number, found: number, page: number, row: number): number {
    const { i32 } = this;
    const address = this.wordAddress(unit);
    let word = found;
    if ((word & WORD_HOLDERS_MASK) === 1) {
      // Plain: the fragment's only holder; nobody else may write its word.
      i32[address >>> 2] = this.vacated(word);
    } else {
      while (true) {
        // X5 pairs with X5 of other holders: one of them reads 1.
        const seen = this.acas(address, word, word - 1);
        if (seen === word) break;
        word = seen;
        if ((word & WORD_HOLDERS_MASK) === 1) {
          i32[address >>> 2] = this.vacated(word); // plain: the others are gone, this thread holds it alone
          break;
        }
      }
    }
    this.releaseShared(page, row);
    return OK;
  }

  /** One reference of this port on the page goes: row down, then the count, or home when it was the last. */
  protected releaseShared(page: number, row: number): void {
    const { i32, port } = this;
    const counter = this.descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET;
    // A6 pairs with X8 in releaseShared: a sole holder sees what the others did.
    let references = this.aload(counter);
    if (references !== 1) {
      // Plain: owner only. From the row to the count's exchange the reference is in neither.
      i32[(port + PORT_COUNTING_OFFSET) >>> 2] = page;
      this.setHeld(page, row - 1);
      do {
        // X8 pairs with A6 in releaseShared: of two last holders one reads 1. LP of a shared release.
        const seen = this.acas(counter, references, references - 1);
        if (seen === references) {
          i32[(port + PORT_COUNTING_OFFSET) >>> 2] = 0;
          return;
        }
        references = seen;
      } while (references !== 1);
      this.setHeld(page, row); // it was the last after all: restored, so that a death before the page is home is seen
      i32[(port + PORT_COUNTING_OFFSET) >>> 2] = 0;
    }
    this.recycle(page);
  }

  /** The page has no user but the caller, whose row is 1: to the cache, or wherever it belongs. */
  protected recycle(page: number): void {
    const { i32, port } = this;
    const descriptor = this.descriptorAddress(page);
    // N9 no ordering needed: one holder, this thread.
    const home = this.rload(descriptor + DESCRIPTOR_HOME_OFFSET);
    if ((home & HOME_USE_MASK) !== 0) this.clean(page, descriptor, home);
    const hasLeft = this.leave(page);
    // Only now: a pinned page's bytes belong to whoever pinned it, and are cleared by the last unpin.
    if (!hasLeft) this.zero(page);
    if (hasLeft || (home & HOME_RESERVE) !== 0) {
      this.count(COUNTER_RELEASED_REFCNT);
      if (!hasLeft) this.retire(page, true);
      return;
    }
    // A10 pairs with R5 in typescript/cache.ts press: a request for pages, or a pool that closes.
    const limit = this.aload(port + PORT_LIMIT_OFFSET);
    if (limit === 0 && !this.isActive()) {
      this.retire(page, true);
      return;
    }
    if (i32[(this.loaded + NODE_COUNT_OFFSET) >>> 2]! >= this.magazineCapacity) this.spill();
    this.magazineAdd(this.loaded, page);
    this.setHeld(page, 0);
    this.count(COUNTER_RECYCLED);
    if (limit !== 0) return;
    // The page goes along: left behind in the loaded magazine it would be out of the reach of whoever asked for it.
    if (i32[(port + PORT_PARKED_OFFSET) >>> 2] !== 0) this.flush();
    else this.answer();
  }

  /** Undoes what a page's last use left in its descriptor and words. */
  protected clean(page: number, descriptor: number, home: number): void {
    const { i32, u16, unitsPerPageShift } = this;
    const unit = page << unitsPerPageShift;
    // plain: sole holder; 0 = the whole page
    if ((home & HOME_FRAGMENTED) !== 0) u16[this.extentAddress(unit) >>> 1] = 0;
    if ((home & HOME_TAINTED) !== 0) {
      for (let i = 0; i < 1 << unitsPerPageShift; i++) {
        const address = this.wordAddress(unit + i);
        const word = i32[address >>> 2]!;
        if ((word & WORD_HOLDERS_MASK) !== 0) i32[address >>> 2] = this.vacated(word); // plain: sole holder
      }
    }
    // N11 no ordering needed: sole holder; published with the page.
    this.astore(descriptor + DESCRIPTOR_HOME_OFFSET, home & ~HOME_USE_MASK);
  }

  /**
   * Takes `references` more on a fragment this port holds. OK, or a code and nothing changed. No atomics while all
   * references of the page are this port's, two locked operations otherwise.
   */
  retain(handle: number, references: number): number {
    const { i32, u16, port } = this;
    const unit = this.unitOf(handle);
    if (unit >= this.unitLimit) return this.reject(ERR_FOREIGN_HANDLE);
    const page = this.pageOf(unit);
    const counter = this.descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET;
    const address = this.wordAddress(unit);
    // A21 pairs with X8 in releaseShared: as A20, and as there before the word.
    const total = this.aload(counter);
    // N12 no ordering needed: where the count is not the row, the exchange decides.
    let word = this.rload(address);
    if (!this.matches(handle, word)) return this.reject(ERR_STALE_HANDLE);
    const row = this.held(page);
    if (row === 0) return this.reject(ERR_NOT_HELD);
    // One comparison for 0 and for more than the row can hold.
    if ((references - 1) >>> 0 >= LEDGER_MAX - row) return ERR_REF_OVERFLOW;
    if (total === row) {
      if ((word & WORD_HOLDERS_MASK) + references > WORD_HOLDERS_MASK) return ERR_REF_OVERFLOW;
      const index = this.rowIndex(page);
      // Plain throughout, as in releaseOwn; here the row comes before the count, for the same reason. No call in here.
      i32[address >>> 2] = word + references;
      i32[(port + PORT_COUNTING_OFFSET) >>> 2] = page;
      u16[index] = row + references;
      i32[counter >>> 2] = row + references;
      i32[(port + PORT_COUNTING_OFFSET) >>> 2] = 0;
      return OK;
    }
    const { touchStack } = this;
    touchStack(); // the Wasm core calls nothing from here on, and does not ask
    while (true) {
      if ((word & WORD_HOLDERS_MASK) + references > WORD_HOLDERS_MASK) return ERR_REF_OVERFLOW;
      // X13 pairs with X5 in releaseSlow: the holder that would read 1 reads more. LP of the retain.
      const seen = this.acas(address, word, word + references);
      if (seen === word) break;
      word = seen;
      if (!this.matches(handle, word)) return this.reject(ERR_STALE_HANDLE);
    }
    // Plain: owner only. From the count to the row the new references are in neither.
    i32[(port + PORT_COUNTING_OFFSET) >>> 2] = page;
    // X14 pairs with X8 in releaseShared: the caller's own reference keeps the count above 0 meanwhile.
    this.aadd(counter, references);
    this.setHeld(page, row + references);
    i32[(port + PORT_COUNTING_OFFSET) >>> 2] = 0;
    return OK;
  }

  /** How many references the fragment has, or a code. */
  refCount(handle: number): number {
    const code = this.inspect(handle);
    if (code !== OK) return code;
    // N15 no ordering needed: a number that may be old when it is read.
    return this.rload(this.wordAddress(this.unitOf(handle))) & WORD_HOLDERS_MASK;
  }

  /**
   * Releases references this port holds on a page, whatever fragments they are of. How many. The fragments' words stay.
   */
  releaseHeld(page: number, references: number): number {
    const home = this.descriptorAddress(page) + DESCRIPTOR_HOME_OFFSET;
    let released = 0;
    while (released < references && this.held(page) !== 0) {
      // X17 pairs with A6 in releaseShared: whoever takes the page home does so after us, and sees the taint.
      this.aor(home, HOME_TAINTED);
      this.releaseShared(page, this.held(page));
      released += 1;
    }
    return released;
  }
}
