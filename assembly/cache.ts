// A port's cache: a loaded magazine that only its thread touches, and a spare one that any port may take.
//
// Owner only, but for the spare word and the limit, which others write to take pages or to ask for them. Three tiers:
// the loaded magazine (fast, no atomics), the spare and the recycle ring (refill), the provider's side (slow). What a
// thread killed here leaves: its magazines, which the reaper returns, and at most one exchange in its record.
// Source: Bonwick's magazines (USENIX 2001) for loaded and spare; page_pool's cache for the tiers.

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
  PORT_BYTES,
  PORT_LIMIT_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RING_HEAD_OFFSET,
  PORT_RING_TAIL_OFFSET,
  PORT_SPARE_OFFSET,
  RING_NODE_BITS_OFFSET,
  STATE_ACTIVE,
} from './layout';
import { aload, astore, rload } from './atomic';
import { loaded, magazineCapacity, maxPorts, port, portId, ports, ring, syncLoaded } from './context';
import { expectForeign } from './debug';
import { isAwaited, ring as ringBell, wake } from './event';
import { descriptorAddress } from './handle';
import { recordDone, setHeld } from './ledger';
import { exchange, nodeAddress, ringPop, ringPush } from './ring';
import { count, countMany } from './stats';
import { hasFresh, hasListed, magazineAdd, retire, takeFresh, takeListed } from './supply';

/** Whether pages are still allocated. */
// @ts-ignore: decorator
@inline
export function isActive(): bool {
  // A1 pairs with R1 in src/control/ending.ts close: a port that sees the pool closing returns its pages.
  return aload(CONTROL_BASE + HEADER_STATE_OFFSET) == STATE_ACTIVE;
}

/** Exchanges the loaded magazine and a port's spare. False: somebody else was there first. */
function exchangeSpare(spare: usize, seen: u32): bool {
  const nodeBits = load<u32>(ring + RING_NODE_BITS_OFFSET);
  const stamp = (seen >>> (nodeBits + 1)) + 1;
  const fill = load<u32>(loaded + NODE_COUNT_OFFSET) != 0 ? (<u32>1) << nodeBits : 0;
  const next = (stamp << (nodeBits + 1)) | fill | load<u32>(port + PORT_LOADED_OFFSET);
  if (!exchange(ring, spare, seen, next, port + PORT_LOADED_OFFSET)) return false;
  recordDone();
  syncLoaded();
  return true;
}

// @ts-ignore: decorator
@inline
function isFilled(spare: u32): bool {
  return ((spare >>> load<u32>(ring + RING_NODE_BITS_OFFSET)) & 1) != 0;
}

/** Loads a port's spare magazine, if it is filled. Own or another's: the same step. */
function takeSpare(spare: usize): bool {
  while (true) {
    // A3 pairs with X1 in ring.ts exchange: the magazine's pages are visible with the word.
    const seen = aload(spare);
    if (!isFilled(seen)) return false;
    if (exchangeSpare(spare, seen)) return true;
  }
}

/** Moves pages from the merge magazine into the loaded one; what does not fit goes back to the ring. */
function merge(): void {
  while (load<u32>(loaded + NODE_COUNT_OFFSET) < magazineCapacity >> 1) {
    if (ringPop(ring, port + PORT_MERGE_OFFSET, port + PORT_RING_HEAD_OFFSET, 0) == EMPTY) return;
    const from = nodeAddress(ring, load<u32>(port + PORT_MERGE_OFFSET));
    let left = load<u32>(from + NODE_COUNT_OFFSET);
    while (left != 0 && load<u32>(loaded + NODE_COUNT_OFFSET) < magazineCapacity) {
      left -= 1;
      // Plain: both magazines are this thread's. A page is in both for one store: a reaper takes equal tops for one
      // page.
      magazineAdd(loaded, load<u32>(from + NODE_PAGES_OFFSET + ((<usize>left) << 2)));
      store<u32>(from + NODE_COUNT_OFFSET, left);
    }
    if (left != 0) returnMagazine(port + PORT_MERGE_OFFSET);
  }
}

/**
 * Puts a filled magazine on the ring, or page by page on the retired list when the ring has no room. How many pages.
 */
export function returnMagazine(holder: usize): u32 {
  const node = nodeAddress(ring, load<u32>(holder));
  const pages = load<u32>(node + NODE_COUNT_OFFSET);
  if (pages == 0) return 0;
  if (ringPush(ring, holder, port + PORT_RING_TAIL_OFFSET, false, false) == FULL) {
    count(COUNTER_RING_FULL);
    retireMagazine(holder);
  }
  syncLoaded();
  wake(CONTROL_BASE + HEADER_FREED_OFFSET);
  return pages;
}

/** Gives every page of a magazine to the provider's side. How many. */
export function retireMagazine(holder: usize): u32 {
  const node = nodeAddress(ring, load<u32>(holder));
  let left = load<u32>(node + NODE_COUNT_OFFSET);
  const pages = left;
  while (left != 0) {
    retireTop(node, left);
    left -= 1;
  }
  return pages;
}

/** Gives the page on top of a magazine with `filled` pages to the provider's side. */
function retireTop(node: usize, filled: u32): void {
  // Plain: this thread's magazine. The row goes up first: a page in a magazine counts as row 0, and outside it is held.
  const page = load<u32>(node + NODE_PAGES_OFFSET - 4 + ((<usize>filled) << 2));
  setHeld(page, 1);
  store<u32>(node + NODE_COUNT_OFFSET, filled - 1);
  retire(page, true);
}

/**
 * Gives the page on top to the provider's side, if it is wanted there: somebody has pinned it while it was in
 * circulation.
 */
function waive(): void {
  const filled = load<u32>(loaded + NODE_COUNT_OFFSET);
  const page = load<u32>(loaded + NODE_PAGES_OFFSET - 4 + ((<usize>filled) << 2));
  // N10 no ordering needed: a mark that is not seen now is seen when the page comes home.
  if (rload(descriptorAddress(page) + DESCRIPTOR_PINS_OFFSET) == 0) return;
  retireTop(loaded, filled);
  count(COUNTER_WAIVE);
}

/** Loads a magazine from the ring. */
function refillRing(): bool {
  while (ringPop(ring, port + PORT_LOADED_OFFSET, port + PORT_RING_HEAD_OFFSET, 0) == OK) {
    syncLoaded();
    waive();
    merge();
    expectForeign(loaded);
    if (load<u32>(loaded + NODE_COUNT_OFFSET) != 0) return true;
  }
  return false;
}

/** Fills the loaded magazine from fresh and listed pages. */
function refillSlow(): bool {
  takeFresh(loaded);
  if (load<u32>(loaded + NODE_COUNT_OFFSET) == 0) takeListed(loaded);
  expectForeign(loaded);
  return load<u32>(loaded + NODE_COUNT_OFFSET) != 0;
}

/**
 * Whether this port would find a page where it searches first: 1 or 0. What other ports have in their spares is found
 * by `refill` alone, which reads every port.
 */
export function hasPages(): u32 {
  if (load<u32>(loaded + NODE_COUNT_OFFSET) != 0) return 1; // plain: owner only
  // A12 pairs with X1 in ring.ts exchange: see A3.
  if (isFilled(aload(port + PORT_SPARE_OFFSET))) return 1;
  if (!isActive()) return 0;
  return <u32>(ringPop(ring, 0, port + PORT_RING_HEAD_OFFSET, 0) == OK || hasFresh() || hasListed());
}

/** Takes another port's spare magazine. */
function steal(): bool {
  for (let i: u32 = 1; i < maxPorts; i++) {
    const other = (portId + i) % maxPorts;
    if (takeSpare(ports + <usize>other * PORT_BYTES + PORT_SPARE_OFFSET)) return true;
  }
  return false;
}

/**
 * Asks every other port for its cached pages: each answers at its next release. Where it has some its bell is rung, so
 * that an idle thread answers as well.
 */
export function press(): void {
  for (let i: u32 = 1; i < maxPorts; i++) {
    const id = (portId + i) % maxPorts;
    const other = ports + <usize>id * PORT_BYTES;
    // N4 no ordering needed: a port that asked for nothing since keeps its request.
    // R5 pairs with A6 in answer: the request is seen at the port's next release.
    if (rload(other + PORT_LIMIT_OFFSET) != 0) astore(other + PORT_LIMIT_OFFSET, 0);
    // Plain: another thread's words, and any value that ever stood there serves. A bell too many costs a probe.
    const node = nodeAddress(ring, load<u32>(other + PORT_LOADED_OFFSET));
    if (load<u32>(node + NODE_COUNT_OFFSET) != 0) ringBell(id);
  }
}

/**
 * Fills the empty loaded magazine from the next tier that has pages, and counts where they came from. False: none
 * anywhere.
 */
export function refill(): bool {
  if (takeSpare(port + PORT_SPARE_OFFSET)) {
    count(COUNTER_FAST);
    return true;
  }
  // Unparked first: a pool that closes waits for ports that are not parked, so of the two one sees the other.
  if (load<u32>(port + PORT_PARKED_OFFSET) != 0) unpark();
  if (!isActive()) return false;
  let source = COUNTER_REFILL;
  if (!refillRing()) {
    count(COUNTER_EMPTY);
    source = COUNTER_SLOW;
    if (!refillSlow()) {
      source = COUNTER_REFILL;
      if (steal()) count(COUNTER_STOLEN);
      else {
        press();
        source = COUNTER_FAIL;
      }
    }
  }
  count(source);
  return source != COUNTER_FAIL;
}

/**
 * Makes room in the full loaded magazine. The hottest pages stay: the loaded one becomes the spare, the old spare goes.
 */
export function spill(): void {
  count(COUNTER_CACHE_FULL);
  while (true) {
    // N7 no ordering needed: the exchange decides.
    if (exchangeSpare(port + PORT_SPARE_OFFSET, aload(port + PORT_SPARE_OFFSET))) break;
  }
  if (load<u32>(loaded + NODE_COUNT_OFFSET) != 0) countMany(COUNTER_RING, returnMagazine(port + PORT_LOADED_OFFSET));
}

/** Pushes both magazines into the ring. */
export function flush(): void {
  returnMagazine(port + PORT_LOADED_OFFSET);
  if (takeSpare(port + PORT_SPARE_OFFSET)) returnMagazine(port + PORT_LOADED_OFFSET);
}

/**
 * Answers a request for pages: the limit first, so that a request that comes meanwhile is answered at the next release.
 */
export function answer(): void {
  // A6 pairs with R5 in press: this limit is overwritten by later requests only.
  astore(port + PORT_LIMIT_OFFSET, magazineCapacity);
  flush();
  // N11 as N9: the request that this limit overwrote may have been the closing pool's. While somebody waits for pages
  // it stays, and each page that is released is published.
  if (!isActive() || isAwaited(CONTROL_BASE + HEADER_FREED_OFFSET)) astore(port + PORT_LIMIT_OFFSET, 0);
}

/** Ends parking: pages may be cached again, unless the pool is closing. */
export function unpark(): void {
  store<u32>(port + PORT_PARKED_OFFSET, 0); // plain: owner only
  // R8 pairs with A1 in isActive: this store is ordered before the read of the state.
  astore(port + PORT_LIMIT_OFFSET, magazineCapacity);
  const isOpen = isActive();
  if (isOpen && !isAwaited(CONTROL_BASE + HEADER_FREED_OFFSET)) return;
  // N9 a pool that closes zeroes the limits after it changed its state: whichever of the two stores came last, it is
  // seen.
  astore(port + PORT_LIMIT_OFFSET, 0);
  if (!isOpen)
    store<u32>(port + PORT_PARKED_OFFSET, 1); // plain: as it was; nothing was taken meanwhile
  // Others wait for pages: what a wait brought along beside its own is theirs.
  else flush();
}
