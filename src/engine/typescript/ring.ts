// The exchange ring: slots that always hold a node, so that one compare-exchange moves a whole node either way.
//
// Any thread may call; lock-free, no slot is ever claimed but unpublished, and nobody waits for anybody. Progress: a
// failed exchange means that another one succeeded. What a thread killed here leaves is in its operation record, which
// names what it was about to exchange; whether it happened is found from the slot, the other ports' records, or the
// node's owner.
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
} from '../../../assembly/layout.js';
import type { Ring } from './context.js';
import { LedgerSteps } from './ledger.js';

/** What `ringPush` returns when it took the oldest node's place. */
export const REPLACED = 1;

/** Pushing and popping nodes. */
export class RingSteps extends LedgerSteps {
  /** Where the node lies that the word at `holder` owns. */
  protected nodeIn(ring: Ring, holder: number): number {
    return ring.nodeAddress(this.i32[holder >>> 2]!); // plain: the holder is the port's own
  }

  /**
   * Exchanges a word that holds a node for one that holds the port's: the one step by which nodes change hands. True:
   * the node that was there is the port's now, in `holder`; the caller puts a locked operation behind it, then closes
   * the record.
   */
  protected exchange(ring: Ring, address: number, seen: number, next: number, holder: number): boolean {
    const { i32 } = this;
    this.recordExchange(RECORD_EXCHANGE, address, seen, next, holder);
    // X1 pairs with X1 of other threads: the node's content is visible before whoever receives it reads it.
    // LP: this compare-exchange.
    if (this.acas(address, seen, next) !== seen) {
      this.recordDone();
      return false;
    }
    const got = seen & ring.nodeMask;
    // Plain: the node was taken by the exchange; a reaper that reads its owner comes after the locked operation that
    // follows.
    i32[(ring.nodeAddress(got) + NODE_OWNER_OFFSET) >>> 2] = this.portId + 1;
    i32[holder >>> 2] = got;
    return true;
  }

  /**
   * Marks a node that goes to the position after `previous`: how many entries came up to its end, so that two nodes
   * show what is inside from one to the other. It counts on from the node before it, and anew where that was taken
   * already. False: read it again.
   */
  protected markEnd({ full, nodeMask, nodes, nodeBytes }: Ring, node: number, previous: number): boolean {
    const { i32 } = this;
    // A13 pairs with X1 in exchange: the node before, and its mark.
    const w = this.aload(previous);
    let start = 0;
    if ((w & full) !== 0) {
      // A14 pairs with X1 in exchange: read before the slot is read again; while a node is in a slot its mark
      // stays.
      start = this.aload(((nodes + Math.imul(w & nodeMask, nodeBytes)) | 0) + NODE_END_OFFSET);
      // A15 pairs with X1 in exchange: as it was, so the mark was of that node.
      if (this.aload(previous) !== w) return false;
    }
    // Plain: the node is this thread's until the exchange publishes it.
    i32[(node + NODE_END_OFFSET) >>> 2] = start + i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
    return true;
  }

  /**
   * Entries in the ring, by the marks of its first and its last node: late by what others do meanwhile. Nothing that a
   * death could leave wrong is added up.
   */
  protected entriesInside(ring: Ring): number {
    const { full, head, indexMask, nodeMask, slots, slotCount, tail } = ring;
    while (true) {
      // Hints that others left late are moved on first, as a push and a pop do.
      this.ringPush(ring, 0, false, false);
      if (this.ringPop(ring, 0, 0) === EMPTY) return 0;
      // A16 pairs with X3 in ringPush: the last filled position is before it.
      const t = this.aload(tail) & indexMask;
      const last = (slots + ((t === 0 ? slotCount - 1 : t - 1) << 2)) | 0;
      // A17 pairs with X9 in ringPop: the first filled position.
      const first = (slots + ((this.aload(head) & indexMask) << 2)) | 0;
      // A18 pairs with X1 in exchange: the last node and its mark.
      const wLast = this.aload(last);
      // A19 pairs with X1 in exchange: the first node and its mark.
      const wFirst = this.aload(first);
      if ((wLast & wFirst & full) === 0) continue;
      // A20 pairs with X1 in exchange: see A14.
      const end = this.aload(ring.nodeAddress(wLast & nodeMask) + NODE_END_OFFSET);
      const node = ring.nodeAddress(wFirst & nodeMask);
      // A22 pairs with X1 in exchange: see A14.
      const firstEnd = this.aload(node + NODE_END_OFFSET);
      // A23 pairs with X1 in exchange: see A14.
      const count = this.aload(node + NODE_COUNT_OFFSET);
      // A21 pairs with X1 in exchange: the first node was still there when its mark was read.
      if (this.aload(first) !== wFirst) continue;
      // A24 pairs with X1 in exchange: and the last one after it, so all between them were there as well.
      if (this.aload(last) === wLast) return (end - firstEnd + count) | 0;
    }
  }

  /**
   * Puts the filled node in `holder` at the tail and leaves an empty one there. OK; FULL, nothing changed; or, when
   * `replace` is set and the ring is full, REPLACED: `holder` has the oldest node with what is in it. Two locked
   * operations. With `counted` the node is marked by how many entries came. Without a holder (0) it only returns what
   * it would do: OK or FULL.
   */
  protected ringPush(ring: Ring, holder: number, replace: boolean, counted: boolean): number {
    const { i32 } = this;
    const { head, tail, indexBits, indexMask, full, lapShift, lapMask } = ring;
    while (true) {
      // A2 pairs with X3 in ringPush: positions before the hint are filled.
      const t = this.aload(tail);
      const index = t & indexMask;
      const lap = t >>> indexBits;
      const slot = (ring.slots + (index << 2)) | 0;
      // A3 pairs with X1 in exchange: the word has the slot's place in its laps.
      const w = this.aload(slot);
      const age = ((w >>> lapShift) - lap) & lapMask;
      const next = ring.following(t, index);
      const isBehind = age === lapMask;
      if (isBehind && (w & full) === 0) continue; // a hint read before its slot was filled: read both again
      // Positions before t were filled when the hint was read, and the oldest of them was not taken when the slot was:
      // full.
      if (isBehind && !replace) return FULL;
      if (isBehind || (age === 0 && (w & full) === 0)) {
        if (holder === 0) return OK;
        if (counted) {
          const previous = (ring.slots + ((index === 0 ? ring.slotCount - 1 : index - 1) << 2)) | 0;
          if (!this.markEnd(ring, this.nodeIn(ring, holder), previous)) continue;
        }
        const mine = i32[holder >>> 2]!;
        if (!this.exchange(ring, slot, w, (lap << lapShift) | full | mine, holder)) continue;
        // X3 pairs with A2 in ringPush: the entry is visible before the tail moves past it; also fences the node's
        // owner.
        this.acas(tail, t, next);
        if (isBehind) {
          const h = (((lap - 1) & lapMask) << indexBits) | index;
          // X5 pairs with A7 in ringPop: the oldest position is gone.
          this.acas(head, h, ring.following(h, index));
        }
        this.recordDone();
        return isBehind ? REPLACED : OK;
      }
      // X8 pairs with A2 in ringPush: the position is filled, or emptied again already, and its pusher has not moved
      // the tail.
      this.acas(tail, t, next);
    }
  }

  /**
   * Takes the oldest filled node into `holder` and leaves its empty one there. OK, or EMPTY. Two locked operations.
   * Without a holder (0) it only returns which. With `own` it takes that node alone, which this port pushed, if it is
   * the oldest and nobody had it since.
   */
  protected ringPop(ring: Ring, holder: number, own: number): number {
    const { i32 } = this;
    const { head, indexBits, indexMask, full, lapShift, lapMask } = ring;
    while (true) {
      // A7 pairs with X9 in ringPop: positions before the hint are taken.
      const h = this.aload(head);
      const index = h & indexMask;
      const lap = h >>> indexBits;
      const slot = (ring.slots + (index << 2)) | 0;
      // A10 pairs with X1 in exchange: the node's content is visible before we take it.
      const w = this.aload(slot);
      if (w >>> lapShift === lap) {
        // Positions before h were taken when the hint was read, and h was not filled when the slot was: empty.
        if ((w & full) === 0) return EMPTY;
        if (holder === 0) return OK;
        if (own !== 0) {
          if (ring.nodeAddress(w & ring.nodeMask) !== own) return EMPTY;
          // A25 pairs with X1 in exchange: a node that another thread had in its hands since names that one.
          if (this.aload(own + NODE_OWNER_OFFSET) !== this.portId + 1) return EMPTY;
        }
        const emptied = (((lap + 1) & lapMask) << lapShift) | i32[holder >>> 2]!;
        if (!this.exchange(ring, slot, w, emptied, holder)) continue;
        // X9 pairs with A7 in ringPop: the slot is emptied before the head moves past it; also fences the node's owner.
        this.acas(head, h, ring.following(h, index));
        this.recordDone();
        return OK;
      }
      // X12 pairs with A7 in ringPop: the position was taken or replaced, and whoever did it has not moved the head.
      this.acas(head, h, ring.following(h, index));
    }
  }
}
