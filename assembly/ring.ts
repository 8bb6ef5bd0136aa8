// The exchange ring: slots that always hold a node, so that one compare-exchange moves a whole node either way.
//
// Any thread may call; lock-free, no slot is ever claimed but unpublished, and nobody waits for anybody. Progress: a
// failed exchange means that another one succeeded. What a thread killed here leaves is in its operation record, which
// names what it was about to exchange; whether it happened is found from the slot, the other ports' records, or the
// node's owner. Source: an own construction after Vyukov's bounded queue (laps) and Treiber-style node exchange;
// docs/architecture.md.
//
//   slot: | lap | full | node |      push at t: {lap,0,m} -> {lap,1,mine}      pop at h: {lap,1,m} -> {lap+1,0,mine}
//   hint: | lap | index |            head and tail; never ahead of the truth, moved on by whoever finds them behind

import {
  EMPTY,
  FULL,
  NODE_COUNT_OFFSET,
  NODE_END_OFFSET,
  NODE_OWNER_OFFSET,
  OK,
  RECORD_EXCHANGE,
  RING_HEAD_OFFSET,
  RING_INDEX_BITS_OFFSET,
  RING_NODE_BITS_OFFSET,
  RING_NODE_BYTES_OFFSET,
  RING_NODES_OFFSET,
  RING_SLOT_COUNT_OFFSET,
  RING_SLOTS_OFFSET,
  RING_TAIL_OFFSET,
} from './layout';
import { acas, aload } from './atomic';
import { portId } from './context';
import { recordDone, recordExchange } from './ledger';

/** What `ringPush` returns when it took the oldest node's place. */
export const REPLACED: i32 = 1;

/** Where a node lies. */
// @ts-ignore: decorator
@inline
export function nodeAddress(ring: usize, node: u32): usize {
  // Plain: the ring block is constant.
  return load<u32>(ring + RING_NODES_OFFSET) + node * load<u32>(ring + RING_NODE_BYTES_OFFSET);
}

/**
 * Exchanges a word that holds a node for one that holds the port's: the one step by which nodes change hands. True: the
 * node that was there is the port's now, in `holder`; the caller puts a locked operation behind it, then closes the
 * record.
 */
// @ts-ignore: decorator
@inline
export function exchange(ring: usize, address: usize, seen: u32, next: u32, holder: usize): bool {
  recordExchange(RECORD_EXCHANGE, address, seen, next, holder);
  // X1 pairs with X1 of other threads: the node's content is visible before whoever receives it reads it.
  // LP: this compare-exchange.
  if (acas(address, seen, next) != seen) {
    recordDone();
    return false;
  }
  const got = seen & (((<u32>1) << load<u32>(ring + RING_NODE_BITS_OFFSET)) - 1);
  // Plain: the node was taken by the exchange; a reaper that reads its owner comes after the locked operation that
  // follows.
  store<u32>(nodeAddress(ring, got) + NODE_OWNER_OFFSET, portId + 1);
  store<u32>(holder, got);
  return true;
}

/** The hint after `hint`, which stands at `index`. */
// @ts-ignore: decorator
@inline
export function following(hint: u32, index: u32, indexBits: u32, slotCount: u32, lapMask: u32): u32 {
  return index + 1 == slotCount ? (((hint >>> indexBits) + 1) & lapMask) << indexBits : hint + 1;
}

/**
 * Marks a node that goes to the position after `previous`: how many entries came up to its end, so that two nodes show
 * what is inside from one to the other. It counts on from the node before it, and anew where that was taken already.
 * False: read it again.
 */
function markEnd(ring: usize, node: usize, previous: usize, full: u32): bool {
  // A13 pairs with X1 in exchange: the node before, and its mark.
  const w = aload(previous);
  let start: u32 = 0;
  if ((w & full) != 0) {
    // A14 pairs with X1 in exchange: read before the slot is read again; while a node is in a slot its mark stays.
    start = aload(nodeAddress(ring, w & (full - 1)) + NODE_END_OFFSET);
    // A15 pairs with X1 in exchange: as it was, so the mark was of that node.
    if (aload(previous) != w) return false;
  }
  // Plain: the node is this thread's until the exchange publishes it.
  store<u32>(node + NODE_END_OFFSET, start + load<u32>(node + NODE_COUNT_OFFSET));
  return true;
}

/**
 * Entries in the ring, by the marks of its first and its last node: late by what others do meanwhile. Nothing that a
 * death could leave wrong is added up.
 */
export function entriesInside(ring: usize): u32 {
  const nodeBits = load<u32>(ring + RING_NODE_BITS_OFFSET); // plain: the ring block is constant
  const indexBits = load<u32>(ring + RING_INDEX_BITS_OFFSET);
  const slotCount = load<u32>(ring + RING_SLOT_COUNT_OFFSET);
  const slots: usize = load<u32>(ring + RING_SLOTS_OFFSET);
  const full = (<u32>1) << nodeBits;
  const indexMask = ((<u32>1) << indexBits) - 1;
  while (true) {
    // Hints that others left late are moved on first, as a push and a pop do.
    ringPush(ring, 0, false, false);
    if (ringPop(ring, 0, 0) == EMPTY) return 0;
    // A16 pairs with X3 in ringPush: the last filled position is before it.
    const t = aload(ring + RING_TAIL_OFFSET) & indexMask;
    const last = slots + ((<usize>(t == 0 ? slotCount - 1 : t - 1)) << 2);
    // A17 pairs with X9 in ringPop: the first filled position.
    const first = slots + ((<usize>(aload(ring + RING_HEAD_OFFSET) & indexMask)) << 2);
    // A18 pairs with X1 in exchange: the last node and its mark.
    const wLast = aload(last);
    // A19 pairs with X1 in exchange: the first node and its mark.
    const wFirst = aload(first);
    if ((wLast & wFirst & full) == 0) continue;
    const node = nodeAddress(ring, wFirst & (full - 1));
    // A20 pairs with X1 in exchange: see A14.
    const end = aload(nodeAddress(ring, wLast & (full - 1)) + NODE_END_OFFSET);
    // A22 pairs with X1 in exchange: see A14.
    const firstEnd = aload(node + NODE_END_OFFSET);
    // A23 pairs with X1 in exchange: see A14.
    const count = aload(node + NODE_COUNT_OFFSET);
    // A21 pairs with X1 in exchange: the first node was still there when its mark was read.
    if (aload(first) != wFirst) continue;
    // A24 pairs with X1 in exchange: and the last one after it, so all between them were there as well.
    if (aload(last) == wLast) return end - firstEnd + count;
  }
}

/**
 * Puts the filled node in `holder` at the tail and leaves an empty one there. OK; FULL, nothing changed; or, when
 * `replace`  is set and the ring is full, REPLACED: `holder` has the oldest node with what is in it. Two locked
 * operations. With `counted` the node is marked by how many entries came. Without a holder (0) it only returns what it
 * would do: OK or FULL.
 */
export function ringPush(ring: usize, holder: usize, replace: bool, counted: bool): i32 {
  const nodeBits = load<u32>(ring + RING_NODE_BITS_OFFSET);
  const indexBits = load<u32>(ring + RING_INDEX_BITS_OFFSET);
  const slotCount = load<u32>(ring + RING_SLOT_COUNT_OFFSET);
  const slots: usize = load<u32>(ring + RING_SLOTS_OFFSET);
  const full = (<u32>1) << nodeBits;
  const lapShift = nodeBits + 1;
  const lapMask = <u32>0xffffffff >>> lapShift;
  while (true) {
    // A2 pairs with X3 in ringPush: positions before the hint are filled.
    const t = aload(ring + RING_TAIL_OFFSET);
    const index = t & (((<u32>1) << indexBits) - 1);
    const lap = t >>> indexBits;
    const slot = slots + ((<usize>index) << 2);
    // A3 pairs with X1 in exchange: the word has the slot's place in its laps.
    const w = aload(slot);
    const age = (w >>> lapShift) - lap;
    const next = following(t, index, indexBits, slotCount, lapMask);
    const isBehind = (age & lapMask) == lapMask;
    if (isBehind && (w & full) == 0) continue; // a hint read before its slot was filled: read both again
    // Positions before t were filled when the hint was read, and the oldest of them was not taken when the slot was:
    // full.
    if (isBehind && !replace) return FULL;
    if (isBehind || ((age & lapMask) == 0 && (w & full) == 0)) {
      if (holder == 0) return OK;
      if (counted) {
        const previous = slots + ((<usize>(index == 0 ? slotCount - 1 : index - 1)) << 2);
        if (!markEnd(ring, nodeAddress(ring, load<u32>(holder)), previous, full)) continue;
      }
      if (!exchange(ring, slot, w, (lap << lapShift) | full | load<u32>(holder), holder)) continue;
      // X3 pairs with A2 in ringPush: the entry is visible before the tail moves past it; also fences the node's owner.
      acas(ring + RING_TAIL_OFFSET, t, next);
      if (isBehind) {
        const h = (((lap - 1) & lapMask) << indexBits) | index;
        // X5 pairs with A7 in ringPop: the oldest position is gone.
        acas(ring + RING_HEAD_OFFSET, h, following(h, index, indexBits, slotCount, lapMask));
      }
      recordDone();
      return isBehind ? REPLACED : OK;
    }
    // X8 pairs with A2 in ringPush: the position is filled, or emptied again already, and its pusher has not moved the
    // tail.
    acas(ring + RING_TAIL_OFFSET, t, next);
  }
}

/**
 * Takes the oldest filled node into `holder` and leaves its empty one there. OK, or EMPTY. Two locked operations.
 * Without a holder (0) it only returns which. With `own` it takes that node alone, which this port pushed, if it is the
 * oldest and nobody had it since.
 */
export function ringPop(ring: usize, holder: usize, own: usize): i32 {
  const nodeBits = load<u32>(ring + RING_NODE_BITS_OFFSET);
  const indexBits = load<u32>(ring + RING_INDEX_BITS_OFFSET);
  const slotCount = load<u32>(ring + RING_SLOT_COUNT_OFFSET);
  const slots: usize = load<u32>(ring + RING_SLOTS_OFFSET);
  const full = (<u32>1) << nodeBits;
  const lapShift = nodeBits + 1;
  const lapMask = <u32>0xffffffff >>> lapShift;
  while (true) {
    // A7 pairs with X9 in ringPop: positions before the hint are taken.
    const h = aload(ring + RING_HEAD_OFFSET);
    const index = h & (((<u32>1) << indexBits) - 1);
    const lap = h >>> indexBits;
    const slot = slots + ((<usize>index) << 2);
    // A10 pairs with X1 in exchange: the node's content is visible before we take it.
    const w = aload(slot);
    if (w >>> lapShift == lap) {
      // Positions before h were taken when the hint was read, and h was not filled when the slot was: empty.
      if ((w & full) == 0) return EMPTY;
      if (holder == 0) return OK;
      if (own != 0) {
        if (nodeAddress(ring, w & (full - 1)) != own) return EMPTY;
        // A25 pairs with X1 in exchange: a node that another thread had in its hands since names that one.
        if (aload(own + NODE_OWNER_OFFSET) != portId + 1) return EMPTY;
      }
      const emptied = (((lap + 1) & lapMask) << lapShift) | load<u32>(holder);
      if (!exchange(ring, slot, w, emptied, holder)) continue;
      // X9 pairs with A7 in ringPop: the slot is emptied before the head moves past it; also fences the node's owner.
      acas(ring + RING_HEAD_OFFSET, h, following(h, index, indexBits, slotCount, lapMask));
      recordDone();
      return OK;
    }
    // X12 pairs with A7 in ringPop: the position was taken or replaced, and whoever did it has not moved the head.
    acas(ring + RING_HEAD_OFFSET, h, following(h, index, indexBits, slotCount, lapMask));
  }
}
