// The exchange ring: slots that always hold a node, so that one compare-exchange moves a whole node either way.
//
// Any thread may call; lock-free, no slot is ever claimed but unpublished, and nobody waits for anybody. Progress: a
// failed exchange means that another one succeeded. What a thread killed here leaves is in its operation record, which
// names what it was about to exchange; whether it happened is found from the slot, the other ports' records, or the
// node's owner. Source: an own construction after Vyukov's bounded queue (laps) and Treiber-style node exchange;
// docs/architecture.md.
//
//   slot: | lap | full | node |      push at t: {lap,0,m} -> {lap,1,mine}      pop at h: {lap,1,m} -> {lap+1,0,mine}
//   hint: | lap | index |            head and tail; never ahead of the truth
//
// Where it found tail and head last is each port's own hint. It is right if the position before it was filled, or
// taken, and the slot shows that it is the next one. Otherwise the search begins at the ring's hints, which whoever
// fills or takes the position before every 8th one moves on. So an exchange is the only locked operation of most calls.
// It is also the fence behind the exchange before it, whose record stays until then: ports have two, and use them in
// turn.

import {
  EMPTY,
  EXCHANGE_BYTES,
  FULL,
  NODE_COUNT_OFFSET,
  NODE_END_OFFSET,
  NODE_OWNER_OFFSET,
  OK,
  PORT_TURN_OFFSET,
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
import { port, portId } from './context';
import { recordDone, recordExchange } from './ledger';

/** What `ringPush` returns when it took the oldest node's place. */
export const REPLACED: i32 = 1;
/** The port's own hint is old, or another port came first. */
export const AGAIN: i32 = 2;

/** Where a node lies. */
// @ts-ignore: decorator
@inline
export function nodeAddress(ring: usize, node: u32): usize {
  // Plain: the ring block is constant.
  return load<u32>(ring + RING_NODES_OFFSET) + node * load<u32>(ring + RING_NODE_BYTES_OFFSET);
}

/**
 * Exchanges a word that holds a node for one that holds the port's: the one step by which nodes change hands. True: the
 * node that was there is the port's now, in `holder`; the caller closes the record.
 */
// @ts-ignore: decorator
@inline
export function exchange(ring: usize, address: usize, seen: u32, next: u32, holder: usize): bool {
  const turn = recordExchange(address, seen, next, holder);
  // X1 pairs with X1 of other threads: the node's content is visible before whoever receives it reads it.
  // LP: this compare-exchange.
  if (acas(address, seen, next) != seen) {
    recordDone();
    return false;
  }
  const got = seen & (((<u32>1) << load<u32>(ring + RING_NODE_BITS_OFFSET)) - 1);
  // Plain: the node was taken by the exchange; a reaper finds this exchange in its record, or the owner, which the next
  // exchange makes visible before the one after it writes over the record.
  store<u32>(nodeAddress(ring, got) + NODE_OWNER_OFFSET, portId + 1);
  store<u32>(holder, got);
  store<u32>(port + PORT_TURN_OFFSET, turn ^ EXCHANGE_BYTES);
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
    // The last filled position is before the tail, the first one is at the head.
    const t = locate(ring, RING_TAIL_OFFSET, 1) & indexMask;
    const last = slots + ((<usize>(t == 0 ? slotCount - 1 : t - 1)) << 2);
    const head = locate(ring, RING_HEAD_OFFSET, 0);
    const first = slots + ((<usize>(head & indexMask)) << 2);
    // A18 pairs with X1 in exchange: the last node and its mark.
    const wLast = aload(last);
    // A19 pairs with X1 in exchange: the first node and its mark.
    const wFirst = aload(first);
    const age = (wFirst >>> nodeBits) - ((head >>> indexBits) << 1);
    // Nothing is at the head, and what came before is taken.
    if (age == 0) return 0;
    // One that came later, at the same place, may be behind the last one.
    if (age != 1 || (wLast & full) == 0) continue;
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
 * Where the tail (`behind` 1) or the head (0) of the ring is: the ring's hint, moved on over positions that are past.
 */
function locate(ring: usize, offset: usize, behind: u32): u32 {
  const nodeBits = load<u32>(ring + RING_NODE_BITS_OFFSET);
  const indexBits = load<u32>(ring + RING_INDEX_BITS_OFFSET);
  const slotCount = load<u32>(ring + RING_SLOT_COUNT_OFFSET);
  const slots: usize = load<u32>(ring + RING_SLOTS_OFFSET);
  const stateMask = <u32>0xffffffff >>> nodeBits;
  // A2 pairs with X3 in pushAtHint and X9 in popAtHint: positions before the hint are filled, or taken.
  let hint = aload(ring + offset);
  while (true) {
    const index = hint & (((<u32>1) << indexBits) - 1);
    // A8 pairs with X1 in exchange: the word has the slot's place in its laps.
    const w = aload(slots + ((<usize>index) << 2));
    if ((((w >>> nodeBits) - ((hint >>> indexBits) << 1) + behind) & stateMask) <= 1) return hint;
    hint = following(hint, index, indexBits, slotCount, stateMask >>> 1);
  }
}

/** As `ringPush`, where the port's own hint is right and nobody comes first; otherwise AGAIN, and nothing changed. */
// @ts-ignore: decorator
@inline
export function pushAtHint(ring: usize, holder: usize, own: usize, replace: bool, counted: bool): i32 {
  const nodeBits = load<u32>(ring + RING_NODE_BITS_OFFSET);
  const indexBits = load<u32>(ring + RING_INDEX_BITS_OFFSET);
  const slotCount = load<u32>(ring + RING_SLOT_COUNT_OFFSET);
  const slots: usize = load<u32>(ring + RING_SLOTS_OFFSET);
  const stateMask = <u32>0xffffffff >>> nodeBits;
  const indexMask = ((<u32>1) << indexBits) - 1;
  const t = load<u32>(own); // plain: the port's own
  const index = t & indexMask;
  const state = (t >>> indexBits) << 1;
  const slot = slots + ((<usize>index) << 2);
  const isFirst = index == 0;
  const previous = isFirst ? slot + ((<usize>(slotCount - 1)) << 2) : slot - 4;
  // A26 pairs with X1 in exchange: where the position before is filled, all before it are, however old the hint is.
  const before = aload(previous);
  // A3 pairs with X1 in exchange: the word has the slot's place in its laps.
  const w = aload(slot);
  const age = ((w >>> nodeBits) - state + 1) & stateMask;
  if (age > 1 || (((before >>> nodeBits) - state - 1 + ((<u32>isFirst) << 1)) & stateMask) > 1) {
    return AGAIN;
  }
  // The oldest of the positions before t was not taken when the slot was read: full.
  const isFull = age == 0;
  if (isFull && !replace) return FULL;
  if (holder == 0) return OK;
  const next = following(t, index, indexBits, slotCount, stateMask >>> 1);
  const isPublished = (next & indexMask & 7) == 0;
  // A27 pairs with X3 in pushAtHint: read before the exchange, so that the hint which takes its place is a later one.
  const tail = isPublished ? aload(ring + RING_TAIL_OFFSET) : 0;
  // A28 pairs with X5 in pushAtHint: likewise.
  const head = isPublished && isFull ? aload(ring + RING_HEAD_OFFSET) : 0;
  if (counted && !markEnd(ring, nodeAddress(ring, load<u32>(holder)), previous, (<u32>1) << nodeBits)) return AGAIN;
  if (!exchange(ring, slot, w, ((state | 1) << nodeBits) | load<u32>(holder), holder)) return AGAIN;
  store<u32>(own, next);
  if (isPublished) {
    // X3 pairs with A2 in locate: the entry is visible before the tail moves past it.
    acas(ring + RING_TAIL_OFFSET, tail, next);
    if (isFull) {
      const lapMask = (stateMask >>> 1) << indexBits;
      // X5 pairs with A2 in locate: the oldest position is gone, a lap before the one that is filled.
      acas(ring + RING_HEAD_OFFSET, head, (next - indexMask - 1) & (lapMask | indexMask));
    }
  }
  recordDone();
  return isFull ? REPLACED : OK;
}

/** As `ringPop`, where the port's own hint is right and nobody comes first; otherwise AGAIN, and nothing changed. */
// @ts-ignore: decorator
@inline
export function popAtHint(ring: usize, holder: usize, own: usize, only: usize): i32 {
  const nodeBits = load<u32>(ring + RING_NODE_BITS_OFFSET);
  const indexBits = load<u32>(ring + RING_INDEX_BITS_OFFSET);
  const slotCount = load<u32>(ring + RING_SLOT_COUNT_OFFSET);
  const slots: usize = load<u32>(ring + RING_SLOTS_OFFSET);
  const stateMask = <u32>0xffffffff >>> nodeBits;
  const indexMask = ((<u32>1) << indexBits) - 1;
  const h = load<u32>(own); // plain: the port's own
  const index = h & indexMask;
  const state = (h >>> indexBits) << 1;
  const slot = slots + ((<usize>index) << 2);
  const isFirst = index == 0;
  // A29 pairs with X1 in exchange: where the position before is taken, all before it are, however old the hint is.
  const before = aload(isFirst ? slot + ((<usize>(slotCount - 1)) << 2) : slot - 4);
  // A10 pairs with X1 in exchange: the node's content is visible before we take it.
  const w = aload(slot);
  const age = ((w >>> nodeBits) - state) & stateMask;
  if (age > 1 || (((before >>> nodeBits) - state - 2 + ((<u32>isFirst) << 1)) & stateMask) > 1) {
    return AGAIN;
  }
  // Positions before h were taken, and h was not filled when the slot was read: empty.
  if (age == 0) return EMPTY;
  if (holder == 0) return OK;
  if (only != 0) {
    if (nodeAddress(ring, w & (((<u32>1) << nodeBits) - 1)) != only) return EMPTY;
    // A25 pairs with X1 in exchange: a node that another thread had in its hands since names that one.
    if (aload(only + NODE_OWNER_OFFSET) != portId + 1) return EMPTY;
  }
  const next = following(h, index, indexBits, slotCount, stateMask >>> 1);
  const isPublished = (next & indexMask & 7) == 0;
  // A30 pairs with X9 in popAtHint: read before the exchange, so that the hint which takes its place is a later one.
  const head = isPublished ? aload(ring + RING_HEAD_OFFSET) : 0;
  if (!exchange(ring, slot, w, ((state + 2) << nodeBits) | load<u32>(holder), holder)) return AGAIN;
  store<u32>(own, next);
  // X9 pairs with A2 in locate: the slot is emptied before the head moves past it.
  if (isPublished) acas(ring + RING_HEAD_OFFSET, head, next);
  recordDone();
  return OK;
}

/**
 * Puts the filled node in `holder` at the tail and leaves an empty one there. OK; FULL, nothing changed; or, when
 * `replace` is set and the ring is full, REPLACED: `holder` has the oldest node with what is in it. One locked
 * operation, and one more at every 8th position. With `counted` the node is marked by how many entries came. Without a
 * holder (0) it only returns what it would do: OK or FULL. `own` is where the port keeps its own hint.
 */
export function ringPush(ring: usize, holder: usize, own: usize, replace: bool, counted: bool): i32 {
  while (true) {
    const code = pushAtHint(ring, holder, own, replace, counted);
    if (code != AGAIN) return code;
    store<u32>(own, locate(ring, RING_TAIL_OFFSET, 1)); // plain: the port's own
  }
}

/**
 * Takes the oldest filled node into `holder` and leaves its empty one there. OK, or EMPTY. One locked operation, and
 * one more at every 8th position. Without a holder (0) it only returns which. With `only` it takes that node alone,
 * which this port pushed, if it is the oldest and nobody had it since. `own` is where the port keeps its own hint.
 */
export function ringPop(ring: usize, holder: usize, own: usize, only: usize): i32 {
  while (true) {
    const code = popAtHint(ring, holder, own, only);
    if (code != AGAIN) return code;
    store<u32>(own, locate(ring, RING_HEAD_OFFSET, 0)); // plain: the port's own
  }
}
