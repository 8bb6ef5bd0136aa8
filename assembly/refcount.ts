// References: the page count, the fragment words and the row together; and the way home of a page without users.
//
// Any thread, each with rows of its own; lock-free. The page count is the authority on when a page goes home. It is 1
// in every container and never 0: it only moves by compare-exchange from c >= 2 to c - 1, and whoever reads 1 is the
// last holder. (A subtraction that may reach 0 cannot be recovered from a ledger.) What a thread killed between "ledger
// down" and the count's exchange leaves is one reference too many on that page: a reaper marks it suspect. Source:
// page_pool's pp_ref_count and netmem_is_recyclable; the read-then-skip trick for a sole holder, here for a sole port.
//
// A port whose row is the page count has all references there are: nobody else may write the count or a fragment word
// of the page, so the port writes them plainly. It reads the count first, and the word then. Whoever gives a reference
// back lowers the word before the count, so a word read behind a count without the others is without them, too.

import {
  BIAS_THRESHOLD,
  COUNTER_FAST,
  COUNTER_RECYCLED,
  COUNTER_REJECTED,
  COUNTER_RELEASED_REFCNT,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_SHIFT,
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
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_LIMIT_OFFSET,
  PORT_PARKED_OFFSET,
  WORD_GENERATION_SHIFT,
  WORD_HOLDERS_MASK,
} from './layout';
import { aadd, acas, aload, aor, astore, rload, rload64 } from './atomic';
import { answer, flush, isActive, refill, spill } from './cache';
import {
  descriptors,
  generationMask,
  generationSeed,
  ledger,
  loaded,
  magazineCapacity,
  port,
  unitBits,
  unitLimit,
  unitMask,
  unitsPerPageShift,
  words,
} from './context';
import { invariant } from './debug';
import {
  descriptorAddress,
  extentAddress,
  handleOf,
  inspect,
  matches,
  pageOf,
  unitOf,
  vacated,
  wordAddress,
} from './handle';
import { held, recordCut, recordDone, setHeld } from './ledger';
import { leave } from './pin';
import { touchStack } from './stack';
import { count } from './stats';
import { magazineAdd, requireSpoiled, retire, spoil, zero } from './supply';

/** Takes the page on top of a magazine with `filled` pages: ledger up, then pop. */
// @ts-ignore: decorator
@inline
export function takeTop(node: usize, filled: u32): u32 {
  // Plain throughout: the magazine is this thread's, and a page in it has no holder who could write its word or rows.
  const page = load<u32>(node + NODE_PAGES_OFFSET - 4 + ((<usize>filled) << 2));
  const unit = page << unitsPerPageShift;
  const word = load<u32>(wordAddress(unit));
  invariant((word & WORD_HOLDERS_MASK) == 0);
  requireSpoiled(page, filled);
  setHeld(page, 1);
  store<u32>(node + NODE_COUNT_OFFSET, filled - 1);
  store<u32>(wordAddress(unit), word + 1);
  return handleOf(unit, word);
}

/**
 * Takes `run` pages from the top of the loaded magazine, which has `filled`, and writes their handles at `address`.
 * What takeTop does to one, for all at a time: the rows, the magazine's count once, then the words.
 */
export function takeRun(address: usize, filled: u32, run: u32): void {
  // In locals: a global is read again in each turn.
  const node = loaded;
  const rows = ledger;
  const allWords = words;
  const unitShift = unitsPerPageShift;
  const handleBits = unitBits;
  const seed = generationSeed;
  // Plain throughout, as in takeTop. A page with a row that is in the magazine yet was given to nobody.
  const top = node + NODE_PAGES_OFFSET - 4 + ((<usize>filled) << 2);
  const end = top - ((<usize>run) << 2);
  for (let at = top; at != end; at -= 4) {
    const page = load<u32>(at);
    requireSpoiled(page, <u32>((at - node - NODE_PAGES_OFFSET) >>> 2) + 1);
    store<u16>(rows + ((<usize>page) << 1), 1);
  }
  store<u32>(node + NODE_COUNT_OFFSET, filled - run);
  for (let at = top; at != end; at -= 4) {
    const unit = load<u32>(at) << unitShift;
    const word = load<u32>(allWords + ((<usize>unit) << 2));
    invariant((word & WORD_HOLDERS_MASK) == 0);
    store<u32>(allWords + ((<usize>unit) << 2), word + 1);
    store<u32>(address, (((word >>> WORD_GENERATION_SHIFT) ^ seed) << handleBits) | unit);
    address += 4;
  }
}

/** A whole page, or 0 when there is none. Any port's thread. No atomics when the cache hits. */
export function alloc(): u32 {
  const node = loaded;
  const filled = load<u32>(node + NODE_COUNT_OFFSET); // plain: owner only
  if (filled == 0) return allocRefill();
  count(COUNTER_FAST);
  return takeTop(node, filled);
}

function allocRefill(): u32 {
  touchStack();
  return refillTop();
}

/** Fills the empty loaded magazine, and takes its top. */
export function refillTop(): u32 {
  if (!refill()) return 0;
  return takeTop(loaded, load<u32>(loaded + NODE_COUNT_OFFSET));
}

/**
 * Whether the handle is the one reference of a plain page, and this port's. `word` is the one of its unit. `bits` and
 * `seed` are unitBits and generationSeed.
 */
// @ts-ignore: decorator
@inline
function isPlain(handle: u32, word: u32, descriptor: usize, row: u32, bits: u32, seed: u32): bool {
  // A2 pairs with X8 in releaseShared, and X6 in pin.ts unpin: whoever gave its reference or its pin back is done with
  // the bytes. Only stores follow, and they depend on the value read, which no machine lets them overtake; a count of 1
  // seen by a holder stays 1, and with one holder no pin can come.
  const countAndPins = rload64(descriptor + DESCRIPTOR_COUNT_OFFSET);
  // Plain: the home state of a page with one holder is written by nobody else.
  const special = load<u32>(descriptor + DESCRIPTOR_HOME_OFFSET) & HOME_SLOW_MASK;
  // The generation, to the handle's last bit, and one holder: one comparison.
  const wrong = rotl<u32>(word ^ 1, WORD_GENERATION_SHIFT) ^ seed ^ (handle >>> bits);
  return ((countAndPins ^ 1) | <u64>(wrong | special | (row ^ 1))) == 0;
}

/**
 * Recycles a plain page into a cache with room, if the handle is its one reference and this port's. False: nothing
 * changed, and `releaseChecked` finds out. No atomics.
 */
// @ts-ignore: decorator
@inline
function releaseFast(handle: u32, unit: u32, page: u32): bool {
  // By itself, and first: the 64 bits of count and pins wait where retain has just written 32 of them.
  if (held(page) != 1) return false;
  // N1 no ordering needed: only holders change the word of a live handle, and a stale one is refused whatever is read.
  const word = rload(wordAddress(unit));
  if (!isPlain(handle, word, descriptorAddress(page), 1, unitBits, generationSeed)) return false;
  const node = loaded;
  const filled = load<u32>(node + NODE_COUNT_OFFSET);
  // N4 no ordering needed: a request that is not seen now is seen at the next release.
  if (filled >= rload(port + PORT_LIMIT_OFFSET)) return false;
  spoil(page);
  // Plain: sole holder of the page. The word, the page into the magazine, its count, then the row: a page in a dead
  // port's magazine counts as row 0.
  store<u32>(wordAddress(unit), vacated(word));
  store<u32>(node + NODE_PAGES_OFFSET + ((<usize>filled) << 2), page);
  store<u32>(node + NODE_COUNT_OFFSET, filled + 1);
  setHeld(page, 0);
  return true;
}

/**
 * Recycles the plain pages that the `count` handles at `address` start with, as far as the cache has room; how many.
 * What releaseFast does to one, for all at a time: words and pages, the magazine's count once, then the rows.
 */
export function releaseRun(address: usize, count: u32): u32 {
  // In locals: a global is read again in each turn.
  const node = loaded;
  const rows = ledger;
  const allWords = words;
  const allDescriptors = descriptors;
  const unitShift = unitsPerPageShift;
  const handleBits = unitBits;
  const units = unitLimit;
  const mask = unitMask;
  const seed = generationSeed;
  const generations = generationMask;
  const filled = load<u32>(node + NODE_COUNT_OFFSET);
  // N23 no ordering needed: a request that is not seen now is seen at the next release.
  const limit = rload(port + PORT_LIMIT_OFFSET);
  const first = node + NODE_PAGES_OFFSET + ((<usize>filled) << 2);
  const room = limit > filled ? limit - filled : 0;
  const last = first + ((<usize>(count < room ? count : room)) << 2);
  let end = first;
  for (; end != last; end += 4) {
    const handle = load<u32>(address);
    const unit = handle & mask;
    if (unit >= units) break;
    const page = unit >>> unitShift;
    const place = allWords + ((<usize>unit) << 2);
    // N24 no ordering needed: as N1. A handle that stands here twice is stale the second time.
    const word = rload(place);
    const descriptor = allDescriptors + ((<usize>page) << DESCRIPTOR_SHIFT);
    if (!isPlain(handle, word, descriptor, load<u16>(rows + ((<usize>page) << 1)), handleBits, seed)) break;
    spoil(page);
    // Plain, as in releaseFast.
    store<u32>(place, (((word >>> WORD_GENERATION_SHIFT) + 1) & generations) << WORD_GENERATION_SHIFT);
    store<u32>(end, page);
    address += 4;
  }
  const run = <u32>((end - first) >>> 2);
  store<u32>(node + NODE_COUNT_OFFSET, filled + run);
  for (let at = first; at != end; at += 4) store<u16>(rows + ((<usize>load<u32>(at)) << 1), 0);
  return run;
}

/** Gives one reference back. OK, or a code and nothing changed. No atomics for the last one when the cache has room. */
export function release(handle: u32): i32 {
  const unit = unitOf(handle);
  if (unit >= unitLimit) return reject(ERR_FOREIGN_HANDLE);
  const page = pageOf(unit);
  // Plain: owner only. Asked first: a page that is open for fragments never passes the fast check.
  if (page == load<u32>(port + PORT_FRAGMENT_PAGE_OFFSET)) return releaseCut(handle, unit, page, true);
  if (!releaseFast(handle, unit, page)) return releaseChecked(handle, unit, page, true);
  count(COUNTER_RECYCLED);
  return OK;
}

/** The same in the middle of a call that has room on the stack already, and that is not quick. */
export function releaseWithin(handle: u32): i32 {
  const unit = unitOf(handle);
  if (unit >= unitLimit) return reject(ERR_FOREIGN_HANDLE);
  const page = pageOf(unit);
  // Plain: owner only.
  if (page == load<u32>(port + PORT_FRAGMENT_PAGE_OFFSET)) return releaseCut(handle, unit, page, false);
  return releaseChecked(handle, unit, page, false);
}

/**
 * Takes a cut back on the own open page: users down instead of the count, so no atomics. What is none, or was cut into
 * others' users, goes the long way.
 */
// @ts-ignore: decorator
@inline
function releaseCut(handle: u32, unit: u32, page: u32, touches: bool): i32 {
  // N22 no ordering needed: as N1.
  const word = rload(wordAddress(unit));
  const row = held(page);
  const cut = load<u32>(port + PORT_FRAGMENT_OFFSET); // plain: owner only
  // The generation, to the handle's last bit, and one holder, as in releaseFast.
  const wrong = rotl<u32>(word ^ 1, WORD_GENERATION_SHIFT) ^ generationSeed ^ (handle >>> unitBits);
  if (wrong != 0 || row == 0 || (cut & 0xffff) == 0) return releaseChecked(handle, unit, page, touches);
  recordCut(row, cut);
  store<u32>(wordAddress(unit), vacated(word)); // plain: the fragment's only holder
  setHeld(page, row - 1);
  store<u32>(port + PORT_FRAGMENT_OFFSET, cut - 1);
  recordDone();
  return OK;
}

/**
 * Releases one reference, whatever it takes, or returns why not. The unit is one of the pool's. `touches`: it asks for
 * room on the stack.
 */
function releaseChecked(handle: u32, unit: u32, page: u32, touches: bool): i32 {
  // A20 pairs with X8 in releaseShared: no reference of another port counts, so its word was written. Before the word.
  const references = aload(descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET);
  // N18 no ordering needed: as N1; where the count is not the row, the exchange decides.
  const word = rload(wordAddress(unit));
  if (!matches(handle, word)) return reject(ERR_STALE_HANDLE);
  const row = held(page);
  if (row == 0) return reject(ERR_NOT_HELD);
  // All others enter nothing once they have begun to store.
  if (touches && (references != row || row == 1)) touchStack();
  return references == row ? releaseOwn(unit, word, page, row) : releaseSlow(unit, word, page, row);
}

function reject(code: i32): i32 {
  count(COUNTER_REJECTED);
  return code;
}

/** All references of the page are this port's. No atomics while it has others. The handle was checked. */
function releaseOwn(unit: u32, word: u32, page: u32, row: u32): i32 {
  // Plain throughout: nobody else holds the page, so nobody else writes its words.
  store<u32>(wordAddress(unit), (word & WORD_HOLDERS_MASK) == 1 ? vacated(word) : word - 1);
  if (row == 1) {
    recycle(page);
    return OK;
  }
  // The row last: a reaper that finds it ahead of the count releases down to a count of 1, and then all of the page.
  store<u32>(port + PORT_COUNTING_OFFSET, page);
  store<u32>(descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET, row - 1);
  setHeld(page, row - 1);
  store<u32>(port + PORT_COUNTING_OFFSET, 0);
  return OK;
}

/** A page of which others have references, too, or which is open for fragments. The handle was checked. */
function releaseSlow(unit: u32, word: u32, page: u32, row: u32): i32 {
  if ((word & WORD_HOLDERS_MASK) == 1) {
    // Plain: the fragment's only holder; nobody else may write its word.
    store<u32>(wordAddress(unit), vacated(word));
  } else {
    while (true) {
      // X5 pairs with X5 of other holders: one of them reads 1.
      const seen = acas(wordAddress(unit), word, word - 1);
      if (seen == word) break;
      word = seen;
      if ((word & WORD_HOLDERS_MASK) == 1) {
        store<u32>(wordAddress(unit), vacated(word)); // plain: the others are gone, this thread holds it alone
        break;
      }
    }
  }
  releaseShared(page, row);
  return OK;
}

/** One reference of this port on the page goes: row down, then the count, or home when it was the last. */
export function releaseShared(page: u32, row: u32): void {
  const counter = descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET;
  // A6 pairs with X8 in releaseShared: a sole holder sees what the others did.
  let references = aload(counter);
  if (references != 1) {
    // Plain: owner only. From the row to the count's exchange the reference is in neither.
    store<u32>(port + PORT_COUNTING_OFFSET, page);
    setHeld(page, row - 1);
    do {
      // X8 pairs with A6 in releaseShared: of two last holders one reads 1. LP of a shared release.
      const seen = acas(counter, references, references - 1);
      if (seen == references) {
        store<u32>(port + PORT_COUNTING_OFFSET, 0);
        return;
      }
      references = seen;
    } while (references != 1);
    setHeld(page, row); // it was the last after all: restored, so that a death before the page is home is seen
    store<u32>(port + PORT_COUNTING_OFFSET, 0);
  }
  recycle(page);
}

/** The page has no user but the caller, whose row is 1: to the cache, or wherever it belongs. */
function recycle(page: u32): void {
  const descriptor = descriptorAddress(page);
  // N9 no ordering needed: one holder, this thread.
  const home = rload(descriptor + DESCRIPTOR_HOME_OFFSET);
  if ((home & HOME_USE_MASK) != 0) clean(page, descriptor, home);
  const hasLeft = leave(page);
  // Only now: a pinned page's bytes belong to whoever pinned it, and are cleared by the last unpin.
  if (!hasLeft) {
    zero(page);
    spoil(page);
  }
  if (hasLeft || (home & HOME_RESERVE) != 0) {
    count(COUNTER_RELEASED_REFCNT);
    if (!hasLeft) retire(page, true);
    return;
  }
  // A10 pairs with R5 in cache.ts press: a request for pages, or a pool that closes.
  const limit = aload(port + PORT_LIMIT_OFFSET);
  if (limit == 0 && !isActive()) return retire(page, true);
  if (load<u32>(loaded + NODE_COUNT_OFFSET) >= magazineCapacity) spill();
  magazineAdd(loaded, page);
  setHeld(page, 0);
  count(COUNTER_RECYCLED);
  if (limit != 0) return;
  // The page goes along: left behind in the loaded magazine it would be out of the reach of whoever asked for it.
  if (load<u32>(port + PORT_PARKED_OFFSET) != 0) flush();
  else answer();
}

/** Undoes what a page's last use left in its descriptor and words. */
function clean(page: u32, descriptor: usize, home: u32): void {
  const unit = page << unitsPerPageShift;
  if ((home & HOME_FRAGMENTED) != 0) store<u16>(extentAddress(unit), 0); // plain: sole holder; 0 = the whole page
  if ((home & HOME_TAINTED) != 0) {
    for (let i: u32 = 0; i < (<u32>1) << unitsPerPageShift; i++) {
      const word = load<u32>(wordAddress(unit + i));
      if ((word & WORD_HOLDERS_MASK) != 0) store<u32>(wordAddress(unit + i), vacated(word)); // plain: sole holder
    }
  }
  // N11 no ordering needed: sole holder; published with the page.
  astore(descriptor + DESCRIPTOR_HOME_OFFSET, home & ~HOME_USE_MASK);
}

/**
 * Takes `references` more on a fragment this port holds. OK, or a code and nothing changed. No atomics while all
 * references of the page are this port's, two locked operations otherwise.
 */
export function retain(handle: u32, references: u32): i32 {
  const unit = unitOf(handle);
  if (unit >= unitLimit) return reject(ERR_FOREIGN_HANDLE);
  const page = pageOf(unit);
  const counter = descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET;
  // A21 pairs with X8 in releaseShared: as A20, and as there before the word.
  const total = aload(counter);
  // N12 no ordering needed: where the count is not the row, the exchange decides.
  let word = rload(wordAddress(unit));
  if (!matches(handle, word)) return reject(ERR_STALE_HANDLE);
  const row = held(page);
  if (row == 0) return reject(ERR_NOT_HELD);
  // One comparison for 0 and for more than the row can hold.
  if (references - 1 >= LEDGER_MAX - row) return ERR_REF_OVERFLOW;
  if (total == row) {
    if ((word & WORD_HOLDERS_MASK) + references > WORD_HOLDERS_MASK) return ERR_REF_OVERFLOW;
    // Plain throughout, as in releaseOwn; here the row comes before the count, for the same reason.
    store<u32>(wordAddress(unit), word + references);
    store<u32>(port + PORT_COUNTING_OFFSET, page);
    setHeld(page, row + references);
    store<u32>(counter, row + references);
    store<u32>(port + PORT_COUNTING_OFFSET, 0);
    return OK;
  }
  while (true) {
    if ((word & WORD_HOLDERS_MASK) + references > WORD_HOLDERS_MASK) return ERR_REF_OVERFLOW;
    // X13 pairs with X5 in releaseSlow: the holder that would read 1 reads more. LP of the retain.
    const seen = acas(wordAddress(unit), word, word + references);
    if (seen == word) break;
    word = seen;
    if (!matches(handle, word)) return reject(ERR_STALE_HANDLE);
  }
  // Plain: owner only. From the count to the row the new references are in neither.
  store<u32>(port + PORT_COUNTING_OFFSET, page);
  // X14 pairs with X8 in releaseShared: the caller's own reference keeps the count above 0 meanwhile.
  const before = aadd(counter, references);
  invariant(before != 0 && before < BIAS_THRESHOLD << 2);
  setHeld(page, row + references);
  store<u32>(port + PORT_COUNTING_OFFSET, 0);
  return OK;
}

/** How many references the fragment has, or a code. */
export function refCount(handle: u32): i32 {
  const code = inspect(handle);
  if (code != OK) return code;
  // N15 no ordering needed: a number that may be old when it is read.
  return <i32>(rload(wordAddress(unitOf(handle))) & WORD_HOLDERS_MASK);
}

/**
 * Releases references this port holds on a page, whatever fragments they are of. How many. The fragments' words stay.
 */
export function releaseHeld(page: u32, references: u32): u32 {
  let released: u32 = 0;
  while (released < references && held(page) != 0) {
    // X17 pairs with A6 in releaseShared: whoever takes the page home does so after us, and sees the taint.
    aor(descriptorAddress(page) + DESCRIPTOR_HOME_OFFSET, HOME_TAINTED);
    releaseShared(page, held(page));
    released += 1;
  }
  return released;
}
