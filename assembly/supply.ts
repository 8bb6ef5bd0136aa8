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
  HEADER_GROW_STEP_OFFSET,
  HEADER_OWN_PAGES_OFFSET,
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
  PIN_LAST_SHIFT,
  PORT_HOLD_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RELEASE_OFFSET,
  RECORD_CLAIM,
  RECORD_INDEX_SHIFT,
  RECORD_RETIRE,
  RETIRED_INDEX_BITS,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
} from './layout';
import { aand, acas, aload, aor, rload } from './atomic';
import {
  flags,
  magazineCapacity,
  pageCount,
  pages,
  pageShift,
  port,
  portId,
  retiredBits,
  supplyBits,
  supplyHint,
} from './context';
import { CHECKS, poison, requirePoison } from './debug';
import { wake } from './event';
import { descriptorAddress } from './handle';
import { recordDone, recordPrivate, setHeld } from './ledger';

/** Clears a page's bytes, where the pool promises that and this memory has them. The caller is alone with the page. */
export function zero(page: u32): void {
  if (((flags & FLAG_ZERO_ON_RELEASE) != 0) & (pages != 0))
    memory.fill(pages + ((<usize>page - 1) << pageShift), 0, (<usize>1) << pageShift);
}

/** Whether the page lies in this memory, and not in an area. */
// @ts-ignore: decorator
@inline
function isOwn(page: u32): bool {
  return page <= load<u32>(CONTROL_BASE + HEADER_OWN_PAGES_OFFSET); // plain: constant
}

/**
 * Makes a page that nobody holds unusable to whoever reads it still; `zero` comes first. The checked build alone.
 */
// @ts-ignore: decorator
@inline
export function spoil(page: u32): void {
  if (CHECKS && isOwn(page))
    poison(pages + ((<usize>page - 1) << pageShift), (<usize>1) << pageShift, (flags & FLAG_ZERO_ON_RELEASE) != 0);
}

/**
 * Traps when somebody wrote to the page on top of the loaded magazine after this port released it. The checked build
 * alone.
 */
// @ts-ignore: decorator
@inline
export function requireSpoiled(page: u32, filled: u32): void {
  if (CHECKS && isOwn(page)) {
    const start = pages + ((<usize>page - 1) << pageShift);
    requirePoison(filled, start, (<usize>1) << pageShift, (flags & FLAG_ZERO_ON_RELEASE) != 0);
  }
}

/** Adds a page to a magazine of this port: content first, then the count. */
// @ts-ignore: decorator
@inline
export function magazineAdd(node: usize, page: u32): void {
  const count = load<u32>(node + NODE_COUNT_OFFSET);
  // Plain: the magazine is this thread's until an exchange publishes it.
  store<u32>(node + NODE_PAGES_OFFSET + ((<usize>count) << 2), page);
  store<u32>(node + NODE_COUNT_OFFSET, count + 1);
}

// @ts-ignore: decorator
@inline
function circulating(home: u32): u32 {
  return (
    ((home & (HOME_STAMP_MASK | HOME_RESERVE)) + ((<u32>1) << HOME_STAMP_SHIFT)) |
    ((portId + 1) << HOME_PORT_SHIFT) |
    (flags & FLAG_ZERO_ON_RELEASE ? HOME_ZERO : 0) |
    HOME_HELD
  );
}

/** Whether the page's bytes exist, growing the memory when they do not. */
function committed(page: u32): bool {
  if ((flags & FLAG_OWN_MEMORY) == 0) return true;
  const need = <u32>((<u64>pages + ((<u64>page) << pageShift) + 0xffff) >> 16);
  const size = <u32>memory.size();
  if (need <= size) return true;
  // Plain: constant.
  const step = load<u32>(CONTROL_BASE + HEADER_GROW_STEP_OFFSET);
  const wanted = need - size;
  if (memory.grow(<i32>(step > wanted ? step : wanted)) >= 0) return true;
  // Another port may have grown it meanwhile, or the last step is a short one.
  if (need <= <u32>memory.size()) return true;
  return memory.grow(<i32>(need - <u32>memory.size())) >= 0 || need <= <u32>memory.size();
}

/** Whether any port may take a page with that home word: a fresh one, or one that retired in the pool's own memory. */
// @ts-ignore: decorator
@inline
function isSupply(home: u32): bool {
  const state = home & (HOME_STATE_MASK | HOME_RESERVE);
  return (state & HOME_STATE_MASK) == HOME_FRESH || state == ((flags >> 2) & HOME_RETIRED);
}

/** Takes one page from the provider's side into the magazine, if it is there; `listed`: its bit is set. */
function claim(node: usize, page: u32, listed: bool): void {
  const descriptor = descriptorAddress(page);
  const hold = load<u32>(port + PORT_HOLD_OFFSET);
  recordPrivate(RECORD_CLAIM, page, 0, 0, hold);
  // X7 pairs with X4 in retire: the bit goes before the state is read, so that a page retired from here on has its
  // own.
  if (listed) aand(bitsOf(supplyBits, page), ~((<u32>1) << (page & 31)));
  // A1 pairs with X4 in retire: whoever retired the page is done with it.
  const seen = aload(descriptor + DESCRIPTOR_HOME_OFFSET);
  const next = circulating(seen);
  store<u32>(port + PORT_RECORD_ADDRESS_OFFSET, next);
  // X2 pairs with X2 of other threads: one port takes the page. LP of entering circulation.
  if (isSupply(seen) && acas(descriptor + DESCRIPTOR_HOME_OFFSET, seen, next) == seen) {
    store<u32>(port + PORT_HOLD_OFFSET, hold + 1); // plain: owner only; in-flight counts it before it can be taken
    // Plain, and the mark's byte alone: that of its last leaving goes, which is this thread's to clear; a pin by which
    // the owner calls the page back meanwhile stays.
    store<u8>(descriptor + DESCRIPTOR_PINS_OFFSET + (PIN_LAST_SHIFT >>> 3), 0);
    magazineAdd(node, page);
  }
  recordDone();
}

/** Fills the magazine with fresh pages. */
export function takeFresh(node: usize): void {
  const hint = CONTROL_BASE + HEADER_FRESH_OFFSET;
  // N3 no ordering needed: a hint; the home states decide.
  const seen = rload(hint);
  let page = seen;
  while (page <= pageCount && load<u32>(node + NODE_COUNT_OFFSET) < magazineCapacity && committed(page)) {
    claim(node, page, false);
    page += 1;
  }
  // N5 no ordering needed: a hint that only moves up; where another moved it meanwhile, it stays.
  acas(hint, seen, page);
}

/** The word of the bits that has the page's. */
// @ts-ignore: decorator
@inline
function bitsOf(bits: usize, page: u32): usize {
  return bits + ((<usize>page >>> RETIRED_WORD_SHIFT) << 2);
}

/** Whether there may be a fresh page. */
export function hasFresh(): bool {
  // N6 no ordering needed: see N3.
  return rload(CONTROL_BASE + HEADER_FRESH_OFFSET) <= pageCount;
}

/** Whether a bit of a page is set; moves the hint on to it. */
export function hasListed(): bool {
  const hint = supplyHint;
  // A15 pairs with X8 in list: see A11.
  const seen = aload(hint);
  const last = pageCount >>> RETIRED_WORD_SHIFT;
  const first = seen & RETIRED_INDEX_MASK;
  let index = first;
  // N16 no ordering needed: see N12.
  while (index <= last && rload(supplyBits + ((<usize>index) << 2)) == 0) index += 1;
  // X17 pairs with X8 in list: see X13.
  if (index != first) acas(hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | index);
  return index <= last;
}

/** Fills the magazine with pages whose bits are set. */
export function takeListed(node: usize): void {
  const hint = supplyHint;
  // A11 pairs with X8 in list: bits set before the hint was moved down are seen.
  const seen = aload(hint);
  let index = seen & RETIRED_INDEX_MASK;
  while (index <= pageCount >>> RETIRED_WORD_SHIFT && load<u32>(node + NODE_COUNT_OFFSET) < magazineCapacity) {
    // N12 no ordering needed: a bit names a place to check; the home states decide.
    const bits = rload(supplyBits + ((<usize>index) << 2));
    if (bits == 0) index += 1;
    else claim(node, (index << RETIRED_WORD_SHIFT) + ctz<u32>(bits), true);
  }
  // X13 pairs with X8 in list: a page retired meanwhile has moved the hint, and it stays.
  acas(hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | index);
}

/** Makes a retired page findable. Doing it twice is harmless. */
function list(page: u32): void {
  const hint = CONTROL_BASE + HEADER_RETIRED_OFFSET;
  const index = page >>> RETIRED_WORD_SHIFT;
  // X9 pairs with X7 in claim: the page's state is visible to whoever clears the bit.
  aor(bitsOf(retiredBits, page), (<u32>1) << (page & 31));
  while (true) {
    // N10 no ordering needed: the exchange decides.
    const seen = rload(hint);
    const at = seen & RETIRED_INDEX_MASK;
    const next = (((seen >>> RETIRED_INDEX_BITS) + 1) << RETIRED_INDEX_BITS) | (index < at ? index : at);
    // X8 pairs with X13 in takeListed: whoever checked before us does not move the hint past our bit.
    if (acas(hint, seen, next) == seen) return;
  }
}

/**
 * Gives a page that only this thread holds (its row is 1, or it left pinned) to the provider's side. `leaves`: it was
 * in circulation until now, so in-flight goes down; the pool is not touched after that.
 */
export function retire(page: u32, leaves: bool): void {
  const home = descriptorAddress(page) + DESCRIPTOR_HOME_OFFSET;
  // N14 no ordering needed: the page is this thread's alone.
  const seen = rload(home);
  const release = load<u32>(port + PORT_RELEASE_OFFSET);
  recordPrivate(leaves ? RECORD_RETIRE | ((<u32>1) << RECORD_INDEX_SHIFT) : RECORD_RETIRE, page, 0, seen, release);
  setHeld(page, 0);
  // X4 pairs with A1 in claim: the page's last user is done before it can be taken. LP of retiring. It fails only where
  // a reaper finished this step for a dead port.
  acas(home, seen, (seen & (HOME_STAMP_MASK | HOME_RESERVE)) | HOME_RETIRED);
  list(page);
  wake(CONTROL_BASE + HEADER_FREED_OFFSET);
  if (leaves) store<u32>(port + PORT_RELEASE_OFFSET, release + 1); // plain: owner only; one way: the pool may end here
  recordDone();
}
