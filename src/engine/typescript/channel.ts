// Channels: exchange rings whose nodes carry entries (handle, offset, length, tag) from thread to thread.
//
// Any port may send and receive; lock-free. A reference is in one place at every moment: the sender's row, a node, or
// the receiver's row; each move between a row and a node of this port has a record. A port has two nodes of every
// channel: an outbox that it fills, an inbox that it empties. Nodes count against the capacity, each with up to `batch`
// entries; bursts also count entries, by credit: exact for one sender, late by what other senders sent meanwhile. A
// message of several entries is in one node from the sender's row to the receiver's, so it travels by one exchange; the
// node marks the entries that go on.

import {
  CHANNEL_CALLS_OFFSET,
  CHANNEL_CLOSED_OFFSET,
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  EMPTY,
  ENTRY_HANDLE_OFFSET,
  ENTRY_LENGTH_OFFSET,
  ENTRY_OFFSET_OFFSET,
  ENTRY_SHIFT,
  ENTRY_TAG_OFFSET,
  ERR_CHANNEL_CLOSED,
  ERR_FOREIGN_HANDLE,
  ERR_NOT_HELD,
  ERR_RANGE,
  ERR_REF_OVERFLOW,
  ERR_STALE_HANDLE,
  FULL,
  LANE_CREDIT_OFFSET,
  LANE_DROPPED_OFFSET,
  LANE_HEAD_OFFSET,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  LANE_RECEIVED_OFFSET,
  LANE_SENT_OFFSET,
  LANE_TAIL_OFFSET,
  LEDGER_MAX,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_MORE_OFFSET,
  NODE_TAKEN_OFFSET,
  OK,
  POLICY_DROP_NEWEST,
  POLICY_DROP_OLDEST,
  POLICY_REFUSE,
  RECORD_BACK,
  RECORD_ENTRY,
  RECORD_RECEIVE,
} from '../../../assembly/layout.js';
import type { Lane } from './context.js';
import { ReplySteps } from './reply.js';
import { REPLACED } from './ring.js';

/** Sending and receiving. */
export class ChannelSteps extends ReplySteps {
  protected add(word: number, amount: number): void {
    const { i32 } = this;
    i32[word >>> 2]! += amount; // plain: a lane's counters are its port's own
  }

  /** Bytes reserved for the fragment that starts at the unit. */
  protected extentBytes(unit: number): number {
    const units = this.u16[this.extentAddress(unit) >>> 1]!; // plain: written before the handle was passed on
    return (units === 0 ? 1 << this.unitsPerPageShift : units) << this.unitBytesShift;
  }

  /** How many entries this port may send now; counted anew where fewer than `need` are known of. */
  protected room(channel: Lane, need: number): number {
    const { i32 } = this;
    const { batch, capacity, lane } = channel;
    const credit = i32[(lane + LANE_CREDIT_OFFSET) >>> 2]!;
    if (credit >= need) return credit;
    if (batch === 1) return 1; // where a node is an entry the ring itself is exact, and replaces the oldest in place
    const inside = this.entriesInside(channel.ring);
    const left = inside < capacity ? capacity - inside : 0;
    i32[(lane + LANE_CREDIT_OFFSET) >>> 2] = left;
    return left;
  }

  /** Whether the entry may be sent by this port. */
  protected sendable(handle: number, offset: number, length: number): number {
    const unit = this.unitOf(handle);
    if (unit >= this.unitLimit) return ERR_FOREIGN_HANDLE;
    // N3 no ordering needed: the caller's reference keeps the word's generation.
    if (!this.matches(handle, this.rload(this.wordAddress(unit)))) return ERR_STALE_HANDLE;
    if (this.held(this.pageOf(unit)) === 0) return ERR_NOT_HELD;
    const extent = this.extentBytes(unit);
    return offset >>> 0 > extent || length >>> 0 > extent - offset ? ERR_RANGE : OK;
  }

  /**
   * Moves a reference from the row into the node, as its entry number `index`; the caller names the node and closes the
   * record.
   */
  protected put(node: number, index: number, handle: number, offset: number, length: number, tag: number): void {
    const { i32 } = this;
    const entry = node + NODE_ENTRIES_OFFSET + (index << ENTRY_SHIFT);
    const page = this.pageOf(this.unitOf(handle));
    const row = this.held(page);
    // Plain: the node is this thread's until the exchange publishes it.
    i32[(entry + ENTRY_HANDLE_OFFSET) >>> 2] = handle;
    i32[(entry + ENTRY_OFFSET_OFFSET) >>> 2] = offset;
    i32[(entry + ENTRY_LENGTH_OFFSET) >>> 2] = length;
    i32[(entry + ENTRY_TAG_OFFSET) >>> 2] = tag;
    this.recordEntry(RECORD_ENTRY, row, index);
    this.setHeld(page, row - 1);
    i32[(node + NODE_COUNT_OFFSET) >>> 2] = index + 1;
  }

  /** The handle of a node's entry. */
  protected handleIn(node: number, index: number): number {
    const { i32 } = this;
    return i32[(node + NODE_ENTRIES_OFFSET + (index << ENTRY_SHIFT)) >>> 2]!;
  }

  /** Moves the node's entries back into the rows, the last one first. */
  protected takeBack(node: number): void {
    const { i32 } = this;
    let index = i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
    this.recordNode(node);
    while (index !== 0) {
      const page = this.pageOf(this.unitOf(this.handleIn(node, index - 1)));
      const row = this.held(page);
      this.recordEntry(RECORD_BACK, row, index);
      index -= 1;
      i32[(node + NODE_COUNT_OFFSET) >>> 2] = index;
      this.setHeld(page, row + 1);
    }
    this.recordDone();
    this.empty(node);
  }

  /**
   * Moves the node's next entry into the row; the caller names the node and closes the record. False: the row is full.
   */
  protected take(node: number, taken: number, handle: number): boolean {
    const page = this.pageOf(this.unitOf(handle));
    const row = this.held(page);
    if (row === LEDGER_MAX) return false;
    this.recordEntry(RECORD_RECEIVE, row, taken);
    this.i32[(node + NODE_TAKEN_OFFSET) >>> 2] = taken + 1;
    this.setHeld(page, row + 1);
    return true;
  }

  /** Makes the node an empty one. The count first: what was taken is never taken again. */
  protected empty(node: number): void {
    const { i32 } = this;
    i32[(node + NODE_COUNT_OFFSET) >>> 2] = 0;
    i32[(node + NODE_TAKEN_OFFSET) >>> 2] = 0;
    i32[(node + NODE_MORE_OFFSET) >>> 2] = 0;
  }

  /** Releases what is left in a node of this port: entries that the channel's policy drops. How many. */
  protected drop(lane: number, node: number): number {
    const { i32 } = this;
    let taken = i32[(node + NODE_TAKEN_OFFSET) >>> 2]!;
    const count = i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
    const dropped = taken < count ? count - taken : 0;
    while (taken < count) {
      const handle = this.handleIn(node, taken);
      // Where the row is full one reference goes first, then the entry's takes its place.
      const first = this.held(this.pageOf(this.unitOf(handle))) === LEDGER_MAX;
      if (first) this.release(handle, false);
      this.recordNode(node);
      this.take(node, taken, handle);
      this.recordDone();
      if (!first) this.release(handle, false);
      taken += 1;
    }
    this.empty(node);
    this.add(lane + LANE_RECEIVED_OFFSET, dropped);
    this.add(lane + LANE_DROPPED_OFFSET, dropped);
    return dropped;
  }

  /** Drops the oldest node of a channel that is full by entries. False: it is empty. */
  protected dropOldest({ ring, lane }: Lane): boolean {
    if (this.ringPop(ring, lane + LANE_OUTBOX_OFFSET, lane + LANE_HEAD_OFFSET, 0) !== OK) return false;
    this.drop(lane, this.nodeIn(ring, lane + LANE_OUTBOX_OFFSET));
    return true;
  }

  protected isClosed({ block }: Lane): boolean {
    // A4 pairs with R5 in closeChannel: nothing is sent after a close that this thread saw, or that happened before for
    // it.
    return this.rload(block + CHANNEL_CLOSED_OFFSET) !== 0;
  }

  /**
   * Whether this port would send a message of so many entries, or drop one for it: 1; 0: FULL. Whether it is closed is
   * not asked.
   */
  canSend(number: number, entries: number): number {
    const channel = this.lanes[number]!;
    const { lane, policy, ring } = channel;
    if (policy === POLICY_DROP_OLDEST || (policy === POLICY_DROP_NEWEST && entries === 1)) return 1;
    // As `send` asks: the credit, then what is inside, then the ring.
    if (this.room(channel, entries) < entries) return 0;
    return this.ringPush(ring, 0, lane + LANE_TAIL_OFFSET, false, false) === OK ? 1 : 0;
  }

  /**
   * Asks again whether the channel is closed, after the outbox's node `node` was published: who received what was
   * inside may have seen the end before it came. It is taken back if it is the oldest, into the outbox, and nothing was
   * sent: true. Where others are before it, it is received or drained with them.
   */
  protected retract({ block, ring, lane }: Lane, node: number): boolean {
    // A9 pairs with R5 in closeChannel: a close that came before the node is seen.
    if (this.aload(block + CHANNEL_CLOSED_OFFSET) === 0) return false;
    return this.ringPop(ring, lane + LANE_OUTBOX_OFFSET, lane + LANE_HEAD_OFFSET, node) === OK;
  }

  /** Publishes the filled outbox `node`. OK; FULL or ERR_CHANNEL_CLOSED with the entries still, or again, in it. */
  protected publish(channel: Lane, node: number): number {
    const { batch, block, lane, policy, ring } = channel;
    const outbox = lane + LANE_OUTBOX_OFFSET;
    // Where a node is an entry nobody counts them.
    const code = this.ringPush(ring, outbox, lane + LANE_TAIL_OFFSET, policy === POLICY_DROP_OLDEST, batch !== 1);
    if (code === REPLACED) this.drop(lane, this.nodeIn(ring, outbox));
    if (code === FULL) return FULL;
    this.wake(block + CHANNEL_NOT_EMPTY_OFFSET);
    return this.retract(channel, node) ? ERR_CHANNEL_CLOSED : OK;
  }

  /** Sends one entry; the caller's reference goes along. OK, FULL (the caller keeps it), or a code. */
  send(number: number, handle: number, offset: number, length: number, tag: number): number {
    const { i32, touchStack } = this;
    const channel = this.lanes[number]!;
    if (this.isClosed(channel)) return ERR_CHANNEL_CLOSED;
    const code = this.sendable(handle, offset, length);
    if (code !== OK) return code;
    touchStack();
    const { lane } = channel;
    while (this.room(channel, 1) === 0) {
      if (channel.policy !== POLICY_DROP_OLDEST) return this.refuse(channel, handle);
      if (!this.dropOldest(channel)) break;
    }
    const node = this.nodeIn(channel.ring, lane + LANE_OUTBOX_OFFSET);
    this.recordNode(node);
    this.put(node, 0, handle, offset, length, tag);
    this.recordDone();
    const outcome = this.publish(channel, node);
    if (outcome !== OK) {
      this.takeBack(node);
      return outcome === FULL ? this.refuse(channel, handle) : outcome;
    }
    const credit = i32[(lane + LANE_CREDIT_OFFSET) >>> 2]!;
    if (credit !== 0) i32[(lane + LANE_CREDIT_OFFSET) >>> 2] = credit - 1;
    this.add(lane + LANE_SENT_OFFSET, 1);
    return OK;
  }

  /** A full channel: the policy decides whether the sender keeps its reference. */
  protected refuse({ lane, policy }: Lane, handle: number): number {
    if (policy === POLICY_REFUSE) return FULL;
    this.release(handle, false);
    this.add(lane + LANE_DROPPED_OFFSET, 1);
    return OK;
  }

  /**
   * Sends entries of 4 words each; how many went, from the front. `lastCode` has the reason why it stopped early. With
   * `more` they are messages, a bit an entry as in a node: all go in one node or none does, and a full channel is FULL
   * whichever is dropped as the newest.
   */
  sendBurst(number: number, address: number, count: number, more: number): number {
    const channel = this.lanes[number]!;
    const need = more !== 0 ? count : 1;
    const { touchStack } = this;
    touchStack();
    const policy = more !== 0 && channel.policy === POLICY_DROP_NEWEST ? POLICY_REFUSE : channel.policy;
    let sent = 0;
    let code = this.isClosed(channel) ? ERR_CHANNEL_CLOSED : OK;
    while (sent < count && code === OK) {
      let left = this.room(channel, need);
      if (left < need) {
        if (policy === POLICY_DROP_OLDEST) {
          if (this.dropOldest(channel)) continue;
          left = need;
        } else if (policy === POLICY_DROP_NEWEST) {
          code = this.dropEntry(channel, address + (sent << ENTRY_SHIFT));
          if (code === OK) sent += 1;
          continue;
        } else {
          code = FULL;
          break;
        }
      }
      const from = address + (sent << ENTRY_SHIFT);
      const filled = this.fill(channel, from, Math.min(left, channel.batch, count - sent));
      code = this.lastCode;
      const node = this.nodeIn(channel.ring, channel.lane + LANE_OUTBOX_OFFSET);
      // Never a part of a message.
      const isWhole = filled >= need;
      let outcome = code;
      if (isWhole) {
        this.i32[(node + NODE_MORE_OFFSET) >>> 2] = more;
        outcome = this.publish(channel, node);
      }
      if (isWhole && outcome === OK) this.countSent(channel, filled);
      else {
        this.takeBack(node);
        if (!isWhole || outcome !== FULL || policy !== POLICY_DROP_NEWEST) {
          code = outcome;
          break;
        }
        for (let i = 0; i < filled; i++) this.dropEntry(channel, from + (i << ENTRY_SHIFT));
      }
      sent += filled;
    }
    this.lastCode = code;
    return sent;
  }

  /**
   * Fills the outbox from the entries at `address`; how many were taken. `lastCode` has the reason why it was fewer.
   */
  protected fill({ ring, lane }: Lane, address: number, count: number): number {
    const { i32 } = this;
    const node = this.nodeIn(ring, lane + LANE_OUTBOX_OFFSET);
    let code = OK;
    let filled = 0;
    this.recordNode(node);
    while (filled < count) {
      const entry = address + (filled << ENTRY_SHIFT);
      const handle = i32[entry >>> 2]!;
      const offset = i32[(entry + ENTRY_OFFSET_OFFSET) >>> 2]!;
      const length = i32[(entry + ENTRY_LENGTH_OFFSET) >>> 2]!;
      code = this.sendable(handle, offset, length);
      if (code !== OK) break;
      this.put(node, filled, handle, offset, length, i32[(entry + ENTRY_TAG_OFFSET) >>> 2]!);
      filled += 1;
    }
    this.recordDone();
    this.lastCode = code;
    return filled;
  }

  protected countSent({ lane }: Lane, entries: number): void {
    const credit = this.i32[(lane + LANE_CREDIT_OFFSET) >>> 2]!;
    this.i32[(lane + LANE_CREDIT_OFFSET) >>> 2] = credit > entries ? credit - entries : 0;
    this.add(lane + LANE_SENT_OFFSET, entries);
  }

  protected dropEntry({ lane }: Lane, entry: number): number {
    const { i32 } = this;
    const handle = i32[entry >>> 2]!;
    const offset = i32[(entry + ENTRY_OFFSET_OFFSET) >>> 2]!;
    const code = this.sendable(handle, offset, i32[(entry + ENTRY_LENGTH_OFFSET) >>> 2]!);
    if (code === OK) {
      this.release(handle, false);
      this.add(lane + LANE_DROPPED_OFFSET, 1);
    }
    return code;
  }

  /** Receives up to `maxCount` entries of 4 words each at `address`; how many came, each with a reference. */
  receiveBurst(number: number, address: number, maxCount: number): number {
    const { i32, touchStack } = this;
    const { block, lane, ring } = this.lanes[number]!;
    const inbox = lane + LANE_INBOX_OFFSET;
    let node = this.nodeIn(ring, inbox);
    let taken = i32[(node + NODE_TAKEN_OFFSET) >>> 2]!;
    let count = i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
    let received = 0;
    let popped = false;
    let code = OK;
    touchStack();
    this.recordNode(node);
    while (received < maxCount) {
      if (taken >= count) {
        this.recordDone();
        this.empty(node);
        if (this.ringPop(ring, inbox, lane + LANE_HEAD_OFFSET, 0) === EMPTY) {
          code = EMPTY;
          break;
        }
        popped = true;
        node = this.nodeIn(ring, inbox);
        taken = i32[(node + NODE_TAKEN_OFFSET) >>> 2]!;
        count = i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
        this.recordNode(node);
        continue;
      }
      // Plain: the node is this thread's since it was popped.
      const entry = (node + NODE_ENTRIES_OFFSET + (taken << ENTRY_SHIFT)) >>> 2;
      const target = (address + (received << ENTRY_SHIFT)) >>> 2;
      const handle = i32[entry]!;
      i32[target] = handle;
      i32[target + 1] = i32[entry + 1]!;
      i32[target + 2] = i32[entry + 2]!;
      i32[target + 3] = i32[entry + 3]!;
      if (!this.take(node, taken, handle)) {
        code = ERR_REF_OVERFLOW;
        break;
      }
      taken += 1;
      received += 1;
    }
    this.recordDone();
    this.lastCode = code;
    if (taken >= count) this.empty(node);
    this.add(lane + LANE_RECEIVED_OFFSET, received);
    if (popped) this.wake(block + CHANNEL_NOT_FULL_OFFSET);
    return received;
  }

  /** Whether this port would receive an entry now: 1 or 0. */
  canReceive(number: number): number {
    const { i32 } = this;
    const { lane, ring } = this.lanes[number]!;
    const node = this.nodeIn(ring, lane + LANE_INBOX_OFFSET);
    // Plain: the inbox is this thread's.
    if (i32[(node + NODE_TAKEN_OFFSET) >>> 2]! < i32[(node + NODE_COUNT_OFFSET) >>> 2]!) return 1;
    return this.ringPop(ring, 0, lane + LANE_HEAD_OFFSET, 0) === OK ? 1 : 0;
  }

  /** No entry is accepted any more; those inside can be received. Wakes every waiter. */
  closeChannel(number: number): void {
    const { block } = this.lanes[number]!;
    // R5 pairs with A4 in isClosed: a sender that sees the close sends nothing more.
    this.astore(block + CHANNEL_CLOSED_OFFSET, 1);
    this.wakeAll(block + CHANNEL_NOT_EMPTY_OFFSET);
    this.wakeAll(block + CHANNEL_NOT_FULL_OFFSET);
  }

  /**
   * Releases what is left in the inbox; a call among it fails first, so that no death leaves its asker without an
   * answer.
   */
  protected dropInbox(block: number, lane: number, node: number): number {
    const { i32 } = this;
    // Plain: constant; the node is this thread's.
    if (i32[(block + CHANNEL_CALLS_OFFSET) >>> 2] !== 0) {
      const count = i32[(node + NODE_COUNT_OFFSET) >>> 2]!;
      for (let i = i32[(node + NODE_TAKEN_OFFSET) >>> 2]!; i < count; i++) {
        this.failCall(i32[(node + NODE_ENTRIES_OFFSET + (i << ENTRY_SHIFT) + ENTRY_TAG_OFFSET) >>> 2]!);
      }
    }
    return this.drop(lane, node);
  }

  /** Releases every entry that this thread can reach: its inbox and what is in the ring. How many. */
  protected drainChannel(number: number): number {
    const { block, lane, ring } = this.lanes[number]!;
    const inbox = lane + LANE_INBOX_OFFSET;
    let dropped = this.dropInbox(block, lane, this.nodeIn(ring, inbox));
    while (this.ringPop(ring, inbox, lane + LANE_HEAD_OFFSET, 0) === OK)
      dropped += this.dropInbox(block, lane, this.nodeIn(ring, inbox));
    if (dropped !== 0) this.wake(block + CHANNEL_NOT_FULL_OFFSET);
    return dropped;
  }
}
