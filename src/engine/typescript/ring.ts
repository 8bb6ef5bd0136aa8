// The exchange ring: slots that always hold a node, so that one compare-exchange moves a whole node either way.
//
// Any thread may call; lock-free, no slot is ever claimed but unpublished, and nobody waits for anybody. Progress: a
// failed exchange means that another one succeeded. What a thread killed here leaves is in its operation record, which
// names what it was about to exchange; whether it happened is found from the slot, the other ports' records, or the
// node's owner.
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
   * the node that was there is the port's now, in `holder`; the caller closes the record.
   */
  protected exchange(ring: Ring, address: number, seen: number, next: number, holder: number): boolean {
    const { i32, port } = this;
    const turn = this.recordExchange(address, seen, next, holder);
    // X1 pairs with X1 of other threads: the node's content is visible before whoever receives it reads it.
    // LP: this compare-exchange.
    if (this.acas(address, seen, next) !== seen) {
      this.recordDone();
      return false;
    }
    const got = seen & ring.nodeMask;
    // Plain: the node was taken by the exchange; a reaper finds this exchange in its record, or the owner, which the
    // next exchange makes visible before the one after it writes over the record.
    i32[(ring.nodeAddress(got) + NODE_OWNER_OFFSET) >>> 2] = this.portId + 1;
    i32[holder >>> 2] = got;
    i32[(port + PORT_TURN_OFFSET) >>> 2] = turn ^ EXCHANGE_BYTES;
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
    const { full, head, indexBits, indexMask, nodeBits, nodeMask, slots, slotCount, tail } = ring;
    while (true) {
      // The last filled position is before the tail, the first one is at the head.
      const t = this.locate(ring, tail, 1) & indexMask;
      const last = (slots + ((t === 0 ? slotCount - 1 : t - 1) << 2)) | 0;
      const at = this.locate(ring, head, 0);
      const first = (slots + ((at & indexMask) << 2)) | 0;
      // A18 pairs with X1 in exchange: the last node and its mark.
      const wLast = this.aload(last);
      // A19 pairs with X1 in exchange: the first node and its mark.
      const wFirst = this.aload(first);
      const age = (wFirst >>> nodeBits) - ((at >>> indexBits) << 1);
      // Nothing is at the head, and what came before is taken.
      if (age === 0) return 0;
      // One that came later, at the same place, may be behind the last one.
      if (age !== 1 || (wLast & full) === 0) continue;
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
   * A slot's word. The exchange decides whether it is still there, so a plain load serves whoever exchanges; what is
   * returned to the caller as FULL or EMPTY is looked at again, atomically: whoever waits has announced it before.
   */
  private look(address: number, isSure: boolean): number {
    // N33 no ordering needed: the exchange decides, and what it took is read behind it.
    if (!isSure) return this.rload(address);
    // A34 pairs with X1 in exchange: the word has the slot's place in its laps.
    return this.aload(address);
  }

  /**
   * Where the tail (`behind` 1) or the head (0) of the ring is: the ring's hint, moved on over positions that are past.
   */
  protected locate(ring: Ring, address: number, behind: number): number {
    const { indexBits, indexMask, nodeBits, slots, stateMask } = ring;
    // A2 pairs with X3 in ringPush and X9 in ringPop: positions before the hint are filled, or taken.
    let hint = this.aload(address);
    while (true) {
      const index = hint & indexMask;
      // A8 pairs with X1 in exchange: the word has the slot's place in its laps.
      const w = this.aload((slots + (index << 2)) | 0);
      if ((((w >>> nodeBits) - ((hint >>> indexBits) << 1) + behind) & stateMask) <= 1) return hint;
      hint = ring.following(hint, index);
    }
  }

  /**
   * Puts the filled node in `holder` at the tail and leaves an empty one there. OK; FULL, nothing changed; or, when
   * `replace` is set and the ring is full, REPLACED: `holder` has the oldest node with what is in it. One locked
   * operation, and one more at every 8th position. With `counted` the node is marked by how many entries came. Without
   * a holder (0) it only returns what it would do: OK or FULL. `own` is where the port keeps its own hint.
   */
  protected ringPush(ring: Ring, holder: number, own: number, replace: boolean, counted: boolean): number {
    const { i32 } = this;
    const { indexBits, indexMask, nodeBits, slotCount, stateMask } = ring;
    let isSure = false;
    while (true) {
      const t = i32[own >>> 2]!; // plain: the port's own
      const index = t & indexMask;
      const state = (t >>> indexBits) << 1;
      const slot = (ring.slots + (index << 2)) | 0;
      const previous = index === 0 ? slot + ((slotCount - 1) << 2) : slot - 4;
      // Where the position before is filled, all before it are, however old the hint is.
      const before = this.look(previous, isSure);
      const w = this.look(slot, isSure);
      const age = ((w >>> nodeBits) - state + 1) & stateMask;
      if (age > 1 || (((before >>> nodeBits) - state - (index === 0 ? -1 : 1)) & stateMask) > 1) {
        i32[own >>> 2] = this.locate(ring, ring.tail, 1);
        continue;
      }
      // The oldest of the positions before t was not taken when the slot was read: full.
      const isFull = age === 0;
      if (isFull && !replace) {
        if (isSure) return FULL;
        isSure = true;
        continue;
      }
      if (holder === 0) return OK;
      const next = ring.following(t, index);
      const isPublished = (next & indexMask & 7) === 0;
      // A27 pairs with X3 in ringPush: read before the exchange, so that the hint which takes its place is a later one.
      const tail = isPublished ? this.aload(ring.tail) : 0;
      // A28 pairs with X5 in ringPush: likewise.
      const head = isPublished && isFull ? this.aload(ring.head) : 0;
      if (counted && !this.markEnd(ring, this.nodeIn(ring, holder), previous)) continue;
      if (!this.exchange(ring, slot, w, ((state | 1) << nodeBits) | i32[holder >>> 2]!, holder)) continue;
      i32[own >>> 2] = next;
      if (isPublished) {
        // X3 pairs with A2 in locate: the entry is visible before the tail moves past it.
        this.acas(ring.tail, tail, next);
        if (isFull) {
          // X5 pairs with A2 in locate: the oldest position is gone, a lap before the one that is filled.
          this.acas(ring.head, head, (next - indexMask - 1) & ((ring.lapMask << indexBits) | indexMask));
        }
      }
      this.recordDone();
      return isFull ? REPLACED : OK;
    }
  }

  /**
   * Takes the oldest filled node into `holder` and leaves its empty one there. OK, or EMPTY. One locked operation, and
   * one more at every 8th position. Without a holder (0) it only returns which. With `only` it takes that node alone,
   * which this port pushed, if it is the oldest and nobody had it since. `own` is where the port keeps its own hint.
   */
  protected ringPop(ring: Ring, holder: number, own: number, only: number): number {
    const { i32 } = this;
    const { indexBits, indexMask, nodeBits, slotCount, stateMask } = ring;
    // What does not take the oldest node says so of the ring as it is.
    let isSure = only !== 0;
    while (true) {
      const h = i32[own >>> 2]!; // plain: the port's own
      const index = h & indexMask;
      const state = (h >>> indexBits) << 1;
      const slot = (ring.slots + (index << 2)) | 0;
      // Where the position before is taken, all before it are, however old the hint is.
      const before = this.look(index === 0 ? slot + ((slotCount - 1) << 2) : slot - 4, isSure);
      const w = this.look(slot, isSure);
      const age = ((w >>> nodeBits) - state) & stateMask;
      if (age > 1 || (((before >>> nodeBits) - state - (index === 0 ? 0 : 2)) & stateMask) > 1) {
        i32[own >>> 2] = this.locate(ring, ring.head, 0);
        continue;
      }
      // Positions before h were taken, and h was not filled when the slot was read: empty.
      if (age === 0) {
        if (isSure) return EMPTY;
        isSure = true;
        continue;
      }
      if (holder === 0) return OK;
      if (only !== 0) {
        if (ring.nodeAddress(w & ring.nodeMask) !== only) return EMPTY;
        // A25 pairs with X1 in exchange: a node that another thread had in its hands since names that one.
        if (this.aload(only + NODE_OWNER_OFFSET) !== this.portId + 1) return EMPTY;
      }
      const next = ring.following(h, index);
      const isPublished = (next & indexMask & 7) === 0;
      // A30 pairs with X9 in ringPop: read before the exchange, so that the hint which takes its place is a later one.
      const head = isPublished ? this.aload(ring.head) : 0;
      if (!this.exchange(ring, slot, w, ((state + 2) << nodeBits) | i32[holder >>> 2]!, holder)) continue;
      i32[own >>> 2] = next;
      // X9 pairs with A2 in locate: the slot is emptied before the head moves past it.
      if (isPublished) this.acas(ring.head, head, next);
      this.recordDone();
      return OK;
    }
  }
}
