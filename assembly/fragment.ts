// Fragments: parts of one open page a port, cut without atomics.
//
// Owner only. The open page's count carries a bias of 2^29; cuts are counted in the port, `users`, and releases by
// others take the count down as they take any. Leaving the page takes off BIAS - users in one step, and what remains
// is exactly the references that are out; if none is, the page is reused in place. {offset, users} is one store.
// Source: page_pool's frag allocator (page_pool_alloc_frag, page_pool_drain_frag).

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
  RECORD_LEAVE,
} from './layout';
import { acas, aload, astore, rload } from './atomic';
import { refill } from './cache';
import { loaded, pageShift, port, portId, unitBytesShift, unitsPerPageShift } from './context';
import { descriptorAddress, extentAddress, handleOf, wordAddress } from './handle';
import { held, recordCut, recordDone, recordPrivate, setHeld } from './ledger';
import { alloc, releaseShared } from './refcount';
import { touchStack } from './stack';
import { count } from './stats';
import { requireSpoiled, spoil } from './supply';

/** A fragment of `bytes` bytes (1..pageBytes), or 0 when there is no page. No atomics while the open page has room. */
export function allocFragment(bytes: u32): u32 {
  const units = (bytes + ((<u32>1) << unitBytesShift) - 1) >>> unitBytesShift;
  // Plain throughout: the open page, its offset and its words are this thread's until the handle is passed on.
  const page = load<u32>(port + PORT_FRAGMENT_PAGE_OFFSET);
  const cut = load<u32>(port + PORT_FRAGMENT_OFFSET);
  const first = cut >>> 16;
  const row = held(page);
  // A page of which this port has as many references as its row can count is left: another one has room.
  if (page == 0 || first + units > (<u32>1) << unitsPerPageShift || row == LEDGER_MAX)
    return allocFragmentSlow(bytes, units);
  return cutAt(page, cut, first, units, row);
}

// @ts-ignore: decorator
@inline
function cutAt(page: u32, cut: u32, first: u32, units: u32, row: u32): u32 {
  const unit = (page << unitsPerPageShift) + first;
  const word = load<u32>(wordAddress(unit));
  recordCut(row, cut);
  store<u32>(wordAddress(unit), word + 1);
  store<u16>(extentAddress(unit), <u16>units);
  store<u32>(port + PORT_FRAGMENT_OFFSET, cut + (units << 16) + 1);
  setHeld(page, row + 1);
  recordDone();
  count(COUNTER_FRAGMENTS);
  return handleOf(unit, word);
}

/** Opens a page for the cut; more than half a page is a whole one. */
function allocFragmentSlow(bytes: u32, units: u32): u32 {
  if (bytes > ((<u32>1) << pageShift) >> 1) return alloc();
  touchStack();
  const isReused = leaveFragmentPage(true);
  if (isReused || load<u32>(loaded + NODE_COUNT_OFFSET) != 0) count(COUNTER_FAST);
  else if (!refill()) return 0;
  if (!isReused) open();
  // A page that was just opened has nobody who holds it, this port neither.
  return cutAt(load<u32>(port + PORT_FRAGMENT_PAGE_OFFSET), 0, 0, units, 0);
}

/** Takes the cached page on top as the open fragment page. */
function open(): void {
  const filled = load<u32>(loaded + NODE_COUNT_OFFSET);
  const page = load<u32>(loaded + NODE_PAGES_OFFSET - 4 + ((<usize>filled) << 2));
  const descriptor = descriptorAddress(page);
  requireSpoiled(page, filled);
  // In this order: a page that is open and on top of the magazine is in the magazine; one that is open with a count of
  // 1 is home.
  store<u32>(port + PORT_FRAGMENT_OFFSET, 0);
  store<u32>(port + PORT_FRAGMENT_PAGE_OFFSET, page);
  store<u32>(loaded + NODE_COUNT_OFFSET, filled - 1);
  // N1 no ordering needed: the page is this thread's alone.
  const home = rload(descriptor + DESCRIPTOR_HOME_OFFSET) & ~HOME_OPENER_MASK;
  // plain: likewise
  store<u32>(descriptor + DESCRIPTOR_HOME_OFFSET, home | HOME_FRAGMENTED | ((portId + 1) << HOME_OPENER_SHIFT));
  // N2 no ordering needed: nobody has a reference yet; the handles publish it.
  astore(descriptor + DESCRIPTOR_COUNT_OFFSET, BIAS);
}

/**
 * Gives the open page's bias back. True: nobody was left and `reuse` was set, so the page is open again from its start.
 * False: no page is open now.
 */
export function leaveFragmentPage(reuse: bool): bool {
  const page = load<u32>(port + PORT_FRAGMENT_PAGE_OFFSET);
  if (page == 0) return false;
  const cut = load<u32>(port + PORT_FRAGMENT_OFFSET);
  const descriptor = descriptorAddress(page);
  const users = cut & 0xffff;
  recordPrivate(RECORD_LEAVE, page, held(page), 0, cut);
  while (true) {
    // A3 pairs with X8 in refcount.ts releaseShared: whoever gave its fragment back is done with the bytes.
    const references = aload(descriptor + DESCRIPTOR_COUNT_OFFSET);
    if (references == BIAS - users) {
      // Nobody holds a fragment, so nobody else can write the count. Plain: no holder, so neither a pin nor a taint can
      // come. A page with one, to be cleared, or of a reserve goes home the long way.
      const special = load<u32>(descriptor + DESCRIPTOR_HOME_OFFSET) & (HOME_TAINTED | HOME_ZERO | HOME_RESERVE);
      // A7 pairs with X6 in pin.ts unpin: an outsider that is done with the page is done before it is used again.
      if (reuse && (special | rload(descriptor + DESCRIPTOR_PINS_OFFSET)) == 0) {
        spoil(page);
        // The port's word first: by it a reaper knows that the count is to be BIAS.
        store<u32>(port + PORT_FRAGMENT_OFFSET, 0);
        // N4 no ordering needed: sole owner.
        astore(descriptor + DESCRIPTOR_COUNT_OFFSET, BIAS);
        recordDone();
        count(COUNTER_RECYCLED);
        return true;
      }
      // the page becomes an ordinary one with one holder, and is recycled as such; by the row a reaper knows
      setHeld(page, 1);
      // N5 no ordering needed: sole owner.
      astore(descriptor + DESCRIPTOR_COUNT_OFFSET, 1);
      store<u32>(port + PORT_FRAGMENT_PAGE_OFFSET, 0);
      recordDone();
      releaseShared(page, 1);
      return false;
    }
    // X6 pairs with A6 in refcount.ts releaseShared: from here on the count is the references that are out. LP of
    // leaving.
    if (acas(descriptor + DESCRIPTOR_COUNT_OFFSET, references, references - (BIAS - users)) == references) break;
  }
  store<u32>(port + PORT_FRAGMENT_PAGE_OFFSET, 0);
  recordDone();
  return false;
}
