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
  HEADER_GROW_STEP_OFFSET,
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
} from './layout';
import { acas, aload, astore } from './atomic';
import { flags, magazineCapacity, pageCount, pages, pageShift, port, portId } from './context';
import { wake } from './event';
import { descriptorAddress } from './handle';
import { recordDone, recordExchange, recordSlow } from './ledger';

/** Clears a page's bytes, where the pool promises that and this memory has them. The caller is alone with the page. */
export function zero(page: u32): void {
  if (((flags & FLAG_ZERO_ON_RELEASE) != 0) & (pages != 0))
    memory.fill(pages + ((<usize>page - 1) << pageShift), 0, (<usize>1) << pageShift);
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
    (home & HOME_AREA_MASK) |
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

/** Takes one page from the provider's side into the magazine, if it is still in the state given. */
function claim(node: usize, page: u32, state: u32): void {
  const home = descriptorAddress(page) + DESCRIPTOR_HOME_OFFSET;
  // A1 pairs with R4 in retire: whoever retired the page is done with it.
  const seen = aload(home);
  if ((seen & HOME_STATE_MASK) != state) return;
  const hold = load<u32>(port + PORT_HOLD_OFFSET);
  recordSlow(RECORD_CLAIM, page, 0, home, hold);
  // X2 pairs with X2 of other threads: one port takes the page. LP of entering circulation.
  if (acas(home, seen, circulating(seen)) == seen) {
    store<u32>(port + PORT_HOLD_OFFSET, hold + 1); // plain: owner only; in-flight counts it before it can be handed out
    magazineAdd(node, page);
  }
  recordDone();
}

/** Fills the magazine with pages that were never given out. */
export function takeFresh(node: usize): void {
  const hint = CONTROL_BASE + HEADER_FRESH_OFFSET;
  // N3 no ordering needed: a hint; the home states decide.
  let page = aload(hint);
  while (page <= pageCount && load<u32>(node + NODE_COUNT_OFFSET) < magazineCapacity && committed(page)) {
    claim(node, page, HOME_FRESH);
    page += 1;
  }
  while (true) {
    // N5 no ordering needed: a hint.
    const seen = aload(hint);
    // N6 no ordering needed: a hint that only moves up.
    if (seen >= page || acas(hint, seen, page) == seen) return;
  }
}

/** Takes the whole retired list; its first page, 0 = none. Follow it with `takeRetired` until it returns 0. */
export function takeRetiredList(): u32 {
  const head = CONTROL_BASE + HEADER_RETIRED_OFFSET;
  while (true) {
    // A7 pairs with X9 in retire: the links behind the head are visible.
    const seen = aload(head);
    if ((seen & RETIRED_PAGE_MASK) == 0) return 0;
    const next = ((seen >>> RETIRED_PAGE_BITS) + 1) << RETIRED_PAGE_BITS;
    recordExchange(RECORD_TAKE, head, seen, next, 0);
    // X8 pairs with X9 in retire: the list is one taker's. LP of taking it.
    if (acas(head, seen, next) == seen) return seen & RETIRED_PAGE_MASK;
    recordDone();
  }
}

/** Takes one page of a list into the magazine; the next one. */
export function takeRetired(node: usize, page: u32): u32 {
  // Plain: the list was taken by an exchange and is this thread's.
  const next = load<u32>(descriptorAddress(page) + DESCRIPTOR_LINK_OFFSET);
  claim(node, page, HOME_RETIRED);
  return next;
}

/**
 * Puts a page that no one holds on the retired list. `leaves`: it was in circulation until now, so in-flight goes down; the pool
 * is not touched after that.
 */
export function retire(page: u32, leaves: bool): void {
  const descriptor = descriptorAddress(page);
  const head = CONTROL_BASE + HEADER_RETIRED_OFFSET;
  // N10 no ordering needed: the page is this thread's alone.
  const home = aload(descriptor + DESCRIPTOR_HOME_OFFSET);
  const release = load<u32>(port + PORT_RELEASE_OFFSET);
  while (true) {
    // A11 pairs with X8 in takeRetiredList: the list we link to is the current one.
    const seen = aload(head);
    const next = (((seen >>> RETIRED_PAGE_BITS) + 1) << RETIRED_PAGE_BITS) | page;
    store<u32>(port + PORT_RECORD_PAGE_OFFSET, page);
    recordExchange(RECORD_RETIRE, head, seen, next, 0);
    // R4 pairs with A1 in claim: the page's last user is done before it can be taken.
    astore(descriptor + DESCRIPTOR_HOME_OFFSET, (home & HOME_AREA_MASK) | HOME_RETIRED);
    // Plain: published by X9.
    store<u32>(descriptor + DESCRIPTOR_LINK_OFFSET, seen & RETIRED_PAGE_MASK);
    // X9 pairs with A7 in takeRetiredList: link and home state are visible before the page can be found. LP of retiring.
    if (acas(head, seen, next) == seen) break;
  }
  recordDone();
  wake(CONTROL_BASE + HEADER_FREED_OFFSET);
  if (leaves) store<u32>(port + PORT_RELEASE_OFFSET, release + 1); // plain: owner only; one way: the pool may end here
}
