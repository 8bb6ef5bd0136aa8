// Channels: exchange rings whose nodes carry entries (handle, offset, length, tag) from thread to thread.
//
// Any port may send and receive; lock-free. A reference is in one place at every moment: the sender's row, a node, or
// the receiver's row; each move between a row and a node of this port has a record. A port has two nodes of every
// channel: an outbox that it fills, an inbox that it empties. Nodes count against the capacity, each with up to `batch`
// entries; bursts also count entries, by credit: exact for one sender, late by what other senders sent meanwhile. A
// message of several entries is in one node from the sender's row to the receiver's, so it travels by one exchange; the
// node marks the entries that go on.

import {
  CHANNEL_BATCH_OFFSET,
  CHANNEL_CALLS_OFFSET,
  CHANNEL_CAPACITY_OFFSET,
  CHANNEL_CLOSED_OFFSET,
  CHANNEL_HEAD_BYTES,
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  CHANNEL_POLICY_OFFSET,
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
  HEADER_CHANNEL_COUNT_OFFSET,
  CONTROL_BASE,
  LANE_CREDIT_OFFSET,
  LANE_DROPPED_OFFSET,
  LANE_HEAD_OFFSET,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  LANE_RECEIVED_OFFSET,
  LANE_SENT_OFFSET,
  LANE_SHIFT,
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
  PORT_RECORD_KIND_OFFSET,
  RECORD_BACK,
  RECORD_ENTRY,
  RECORD_INDEX_SHIFT,
  RECORD_RECEIVE,
  RECORD_ROW_SHIFT,
  WORD_GENERATION_SHIFT,
  WORD_HOLDERS_MASK,
} from './layout';
import { aload, astore, rload } from './atomic';
import {
  channels,
  generationSeed,
  ledger,
  port,
  portId,
  setLastCode,
  unitBits,
  unitLimit,
  unitMask,
  unitBytesShift,
  unitsPerPageShift,
} from './context';
import { wake, wakeAll, wakeAwaited } from './event';
import { extentAddress, matches, pageOf, unitOf, wordAddress } from './handle';
import { held, recordDone, recordEntry, recordNode, setHeld } from './ledger';
import { releaseWithin } from './refcount';
import { failCall } from './reply';
import { AGAIN, entriesInside, nodeAddress, popAtHint, REPLACED, ringPop, ringPush } from './ring';
import { touchStack } from './stack';

/** The block of a channel, by its number: addresses of all blocks stand in a table. */
// @ts-ignore: decorator
@inline
export function blockOf(channel: u32): usize {
  return load<u32>(channels + ((<usize>channel) << 2)); // plain: constant
}

// @ts-ignore: decorator
@inline
export function laneOf(block: usize): usize {
  return block + CHANNEL_HEAD_BYTES + ((<usize>portId) << LANE_SHIFT);
}

// @ts-ignore: decorator
@inline
function add(word: usize, amount: u32): void {
  store<u32>(word, load<u32>(word) + amount); // plain: a lane's counters are its port's own
}

/** Bytes reserved for the fragment that starts at the unit. */
// @ts-ignore: decorator
@inline
export function extentBytes(unit: u32): u32 {
  const units = <u32>load<u16>(extentAddress(unit)); // plain: written before the handle was passed on
  return (units == 0 ? (<u32>1) << unitsPerPageShift : units) << unitBytesShift;
}

/** How many entries this port may send now, counted anew; asked where its credit is not enough. */
function room(block: usize, lane: usize): u32 {
  // Plain: constant. Where a node is an entry the ring itself is exact, and replaces the oldest in place.
  if (load<u32>(block + CHANNEL_BATCH_OFFSET) == 1) return 1;
  const capacity = load<u32>(block + CHANNEL_CAPACITY_OFFSET);
  const inside = entriesInside(block);
  const left = inside < capacity ? capacity - inside : 0;
  store<u32>(lane + LANE_CREDIT_OFFSET, left);
  return left;
}

/** Whether the entry may be sent by this port. */
export function sendable(handle: u32, offset: u32, length: u32): i32 {
  const unit = unitOf(handle);
  if (unit >= unitLimit) return ERR_FOREIGN_HANDLE;
  // N3 no ordering needed: the caller's reference keeps the word's generation.
  if (!matches(handle, rload(wordAddress(unit)))) return ERR_STALE_HANDLE;
  if (held(pageOf(unit)) == 0) return ERR_NOT_HELD;
  const extent = extentBytes(unit);
  return offset > extent || length > extent - offset ? ERR_RANGE : OK;
}

/**
 * Moves a reference from the row into the node, as its entry number `index`; the caller names the node and closes the
 * record.
 */
// @ts-ignore: decorator
@inline
function put(node: usize, index: u32, handle: u32, offset: u32, length: u32, tag: u32): void {
  const entry = node + NODE_ENTRIES_OFFSET + ((<usize>index) << ENTRY_SHIFT);
  const page = pageOf(unitOf(handle));
  const row = held(page);
  // Plain: the node is this thread's until the exchange publishes it.
  store<u32>(entry + ENTRY_HANDLE_OFFSET, handle);
  store<u32>(entry + ENTRY_OFFSET_OFFSET, offset);
  store<u32>(entry + ENTRY_LENGTH_OFFSET, length);
  store<u32>(entry + ENTRY_TAG_OFFSET, tag);
  recordEntry(RECORD_ENTRY, row, index);
  setHeld(page, row - 1);
  store<u32>(node + NODE_COUNT_OFFSET, index + 1);
}

/** Moves the node's entries back into the rows, the last one first. */
function takeBack(node: usize): void {
  let index = load<u32>(node + NODE_COUNT_OFFSET);
  recordNode(node);
  while (index != 0) {
    const page = pageOf(unitOf(load<u32>(node + NODE_ENTRIES_OFFSET + ((<usize>(index - 1)) << ENTRY_SHIFT))));
    const row = held(page);
    recordEntry(RECORD_BACK, row, index);
    index -= 1;
    store<u32>(node + NODE_COUNT_OFFSET, index);
    setHeld(page, row + 1);
  }
  recordDone();
  empty(node);
}

/**
 * Moves the node's next entry into the row; the caller names the node and closes the record. False: the row is full.
 */
// @ts-ignore: decorator
@inline
function take(node: usize, taken: u32, handle: u32): bool {
  const page = pageOf(unitOf(handle));
  const row = held(page);
  if (row == LEDGER_MAX) return false;
  recordEntry(RECORD_RECEIVE, row, taken);
  store<u32>(node + NODE_TAKEN_OFFSET, taken + 1);
  setHeld(page, row + 1);
  return true;
}

/** Makes the node an empty one. The count first: what was taken is never taken again. */
export function empty(node: usize): void {
  store<u32>(node + NODE_COUNT_OFFSET, 0);
  store<u64>(node + NODE_TAKEN_OFFSET, 0); // and NODE_MORE_OFFSET behind it
}

/** Releases what is left in a node of this port: entries that the channel's policy drops. How many. */
export function drop(lane: usize, node: usize): u32 {
  let taken = load<u32>(node + NODE_TAKEN_OFFSET);
  const count = load<u32>(node + NODE_COUNT_OFFSET);
  const dropped = taken < count ? count - taken : 0;
  while (taken < count) {
    const handle = load<u32>(node + NODE_ENTRIES_OFFSET + ((<usize>taken) << ENTRY_SHIFT));
    // Where the row is full one reference goes first, then the entry's takes its place.
    const first = held(pageOf(unitOf(handle))) == LEDGER_MAX;
    if (first) releaseWithin(handle);
    recordNode(node);
    take(node, taken, handle);
    recordDone();
    if (!first) releaseWithin(handle);
    taken += 1;
  }
  empty(node);
  add(lane + LANE_RECEIVED_OFFSET, dropped);
  add(lane + LANE_DROPPED_OFFSET, dropped);
  return dropped;
}

/** Drops the oldest node of a channel that is full by entries. False: it is empty. */
function dropOldest(block: usize, lane: usize): bool {
  if (ringPop(block, lane + LANE_OUTBOX_OFFSET, lane + LANE_HEAD_OFFSET, 0) != OK) return false;
  drop(lane, nodeAddress(block, load<u32>(lane + LANE_OUTBOX_OFFSET)));
  return true;
}

// @ts-ignore: decorator
@inline
function isClosed(block: usize): bool {
  // A4 pairs with R5 in closeChannel: nothing is sent after a close that this thread saw.
  return aload(block + CHANNEL_CLOSED_OFFSET) != 0;
}

/**
 * Whether this port would send a message of so many entries, or drop one for it: 1; 0: FULL. Whether it is closed is
 * not asked.
 */
export function canSend(channel: u32, entries: u32): u32 {
  const block = blockOf(channel);
  const policy = load<u32>(block + CHANNEL_POLICY_OFFSET); // plain: constant
  if (policy == POLICY_DROP_OLDEST || (policy == POLICY_DROP_NEWEST && entries == 1)) return 1;
  const lane = laneOf(block);
  // As `send` asks: the credit, then what is inside, then the ring.
  if (load<u32>(lane + LANE_CREDIT_OFFSET) < entries && room(block, lane) < entries) return 0;
  return <u32>(ringPush(block, 0, lane + LANE_TAIL_OFFSET, false, false) == OK);
}

/**
 * Asks again whether the channel is closed, after the outbox's node `node` was published: who received what was inside
 * may have seen the end before it came. It is taken back if it is the oldest, into the outbox, and nothing was sent:
 * true. Where others are before it, it is received or drained with them.
 */
// @ts-ignore: decorator
@inline
function retract(block: usize, lane: usize, node: usize): bool {
  // A9 pairs with R5 in closeChannel: a close that came before the node is seen.
  if (aload(block + CHANNEL_CLOSED_OFFSET) == 0) return false;
  return ringPop(block, lane + LANE_OUTBOX_OFFSET, lane + LANE_HEAD_OFFSET, node) == OK;
}

/** Publishes the filled outbox `node`. OK; FULL or ERR_CHANNEL_CLOSED with the entries still, or again, in it. */
// @ts-ignore: decorator
@inline
function publish(block: usize, lane: usize, policy: u32, node: usize): i32 {
  // Plain: constant. Where a node is an entry nobody counts them.
  const counted = load<u32>(block + CHANNEL_BATCH_OFFSET) != 1;
  const outbox = lane + LANE_OUTBOX_OFFSET;
  const code = ringPush(block, outbox, lane + LANE_TAIL_OFFSET, policy == POLICY_DROP_OLDEST, counted);
  if (code == REPLACED) drop(lane, nodeAddress(block, load<u32>(outbox)));
  if (code == FULL) return FULL;
  wakeAwaited(block + CHANNEL_NOT_EMPTY_OFFSET);
  return retract(block, lane, node) ? ERR_CHANNEL_CLOSED : OK;
}

/** Sends one entry; the caller's reference goes along. OK, FULL (the caller keeps it), or a code. */
export function send(channel: u32, handle: u32, offset: u32, length: u32, tag: u32): i32 {
  const block = blockOf(channel);
  if (isClosed(block)) return ERR_CHANNEL_CLOSED;
  const code = sendable(handle, offset, length);
  if (code != OK) return code;
  touchStack();
  const lane = laneOf(block);
  const policy = load<u32>(block + CHANNEL_POLICY_OFFSET); // plain: constant
  while (load<u32>(lane + LANE_CREDIT_OFFSET) == 0 && room(block, lane) == 0) {
    if (policy != POLICY_DROP_OLDEST) return refuse(lane, policy, handle);
    if (!dropOldest(block, lane)) break;
  }
  const node = nodeAddress(block, load<u32>(lane + LANE_OUTBOX_OFFSET));
  recordNode(node);
  put(node, 0, handle, offset, length, tag);
  recordDone();
  const outcome = publish(block, lane, policy, node);
  if (outcome != OK) {
    takeBack(node);
    return outcome == FULL ? refuse(lane, policy, handle) : outcome;
  }
  const credit = load<u32>(lane + LANE_CREDIT_OFFSET);
  if (credit != 0) store<u32>(lane + LANE_CREDIT_OFFSET, credit - 1);
  add(lane + LANE_SENT_OFFSET, 1);
  return OK;
}

/** A full channel: the policy decides whether the sender keeps its reference. */
function refuse(lane: usize, policy: u32, handle: u32): i32 {
  if (policy == POLICY_REFUSE) return FULL;
  releaseWithin(handle);
  add(lane + LANE_DROPPED_OFFSET, 1);
  return OK;
}

/**
 * Sends entries of 4 words each; how many went, from the front. `lastCode` has the reason why it stopped early. With
 * `more` they are messages, a bit an entry as in a node: all go in one node or none does, and a full channel is FULL
 * whichever is dropped as the newest.
 */
export function sendBurst(channel: u32, address: usize, count: u32, more: u32): u32 {
  const block = blockOf(channel);
  if (isClosed(block)) {
    setLastCode(ERR_CHANNEL_CLOSED);
    return 0;
  }
  touchStack();
  const lane = laneOf(block);
  const need: u32 = more != 0 ? count : 1;
  const batch = load<u32>(block + CHANNEL_BATCH_OFFSET); // plain: constant
  // Plain: constant. With `more`, what drops the newest refuses: POLICY_DROP_NEWEST is a bit of its own.
  const policy = load<u32>(block + CHANNEL_POLICY_OFFSET) & (~POLICY_DROP_NEWEST | <u32>(more == 0));
  let sent: u32 = 0;
  let code: i32 = OK;
  while (sent < count && code == OK) {
    let left = load<u32>(lane + LANE_CREDIT_OFFSET);
    if (left < need) left = room(block, lane);
    if (left < need) {
      if (policy == POLICY_DROP_OLDEST) {
        if (dropOldest(block, lane)) continue;
        left = need;
      } else if (policy == POLICY_DROP_NEWEST) {
        code = dropEntry(lane, address + ((<usize>sent) << ENTRY_SHIFT));
        if (code == OK) sent += 1;
        continue;
      } else {
        code = FULL;
        break;
      }
    }
    if (left > batch) left = batch;
    if (left > count - sent) left = count - sent;
    const node = nodeAddress(block, load<u32>(lane + LANE_OUTBOX_OFFSET));
    let filled: u32 = 0;
    recordNode(node);
    // `sendable` and `put` for a whole node, with what does not change read once and the node's count stored once,
    // inside the last record: an entry costs four stores.
    const rows = ledger;
    const record = port + PORT_RECORD_KIND_OFFSET;
    const mask = unitMask;
    const shift = unitsPerPageShift;
    const bits = unitBits;
    const seed = generationSeed;
    while (filled < left) {
      const entry = address + ((<usize>(sent + filled)) << ENTRY_SHIFT);
      const handle = load<u32>(entry);
      const unit = handle & mask;
      if (unit >= unitLimit) {
        code = ERR_FOREIGN_HANDLE;
        break;
      }
      // N7 no ordering needed: the caller's reference keeps the word's generation.
      const word = rload(wordAddress(unit));
      if (handle >>> bits != ((word >>> WORD_GENERATION_SHIFT) ^ seed) || (word & WORD_HOLDERS_MASK) == 0) {
        code = ERR_STALE_HANDLE;
        break;
      }
      const row = rows + ((<usize>(unit >>> shift)) << 1);
      const references = <u32>load<u16>(row);
      if (references == 0) {
        code = ERR_NOT_HELD;
        break;
      }
      const extent = extentBytes(unit);
      const offset = load<u32>(entry + ENTRY_OFFSET_OFFSET);
      if (offset > extent || load<u32>(entry + ENTRY_LENGTH_OFFSET) > extent - offset) {
        code = ERR_RANGE;
        break;
      }
      const target = node + NODE_ENTRIES_OFFSET + ((<usize>filled) << ENTRY_SHIFT);
      store<u64>(target, load<u64>(entry));
      store<u64>(target + 8, load<u64>(entry + 8));
      store<u32>(record, RECORD_ENTRY | (filled << RECORD_INDEX_SHIFT) | (references << RECORD_ROW_SHIFT));
      store<u16>(row, <u16>(references - 1));
      filled += 1;
    }
    store<u32>(node + NODE_COUNT_OFFSET, filled);
    recordDone();
    // Never a part of a message.
    const isWhole = filled >= need;
    let outcome = code;
    if (isWhole) {
      store<u32>(node + NODE_MORE_OFFSET, more);
      outcome = publish(block, lane, policy, node);
    }
    if (isWhole && outcome == OK) {
      const credit = load<u32>(lane + LANE_CREDIT_OFFSET);
      store<u32>(lane + LANE_CREDIT_OFFSET, credit > filled ? credit - filled : 0);
      add(lane + LANE_SENT_OFFSET, filled);
    } else {
      takeBack(node);
      if (!isWhole || outcome != FULL || policy != POLICY_DROP_NEWEST) {
        code = outcome;
        break;
      }
      for (let i: u32 = 0; i < filled; i++) dropEntry(lane, address + ((<usize>(sent + i)) << ENTRY_SHIFT));
    }
    sent += filled;
  }
  setLastCode(code);
  return sent;
}

function dropEntry(lane: usize, entry: usize): i32 {
  const handle = load<u32>(entry);
  const code = sendable(handle, load<u32>(entry + ENTRY_OFFSET_OFFSET), load<u32>(entry + ENTRY_LENGTH_OFFSET));
  if (code == OK) {
    releaseWithin(handle);
    add(lane + LANE_DROPPED_OFFSET, 1);
  }
  return code;
}

/** Receives up to `maxCount` entries of 4 words each at `address`; how many came, each with a reference. */
export function receiveBurst(channel: u32, address: usize, maxCount: u32): u32 {
  const block = blockOf(channel);
  const lane = laneOf(block);
  let node = nodeAddress(block, load<u32>(lane + LANE_INBOX_OFFSET));
  let taken = load<u32>(node + NODE_TAKEN_OFFSET);
  let count = load<u32>(node + NODE_COUNT_OFFSET);
  let received: u32 = 0;
  let popped = false;
  // Entries that are here come without a call.
  if (count - taken < maxCount) touchStack();
  setLastCode(OK);
  recordNode(node);
  const mask = unitMask;
  const shift = unitsPerPageShift;
  const rows = ledger;
  const record = port + PORT_RECORD_KIND_OFFSET;
  while (received < maxCount) {
    if (taken >= count) {
      store<u32>(node + NODE_TAKEN_OFFSET, taken);
      recordDone();
      empty(node);
      let code = popAtHint(block, lane + LANE_INBOX_OFFSET, lane + LANE_HEAD_OFFSET, 0);
      if (code == AGAIN) code = ringPop(block, lane + LANE_INBOX_OFFSET, lane + LANE_HEAD_OFFSET, 0);
      if (code == EMPTY) {
        setLastCode(EMPTY);
        break;
      }
      popped = true;
      node = nodeAddress(block, load<u32>(lane + LANE_INBOX_OFFSET));
      taken = load<u32>(node + NODE_TAKEN_OFFSET);
      count = load<u32>(node + NODE_COUNT_OFFSET);
      recordNode(node);
      continue;
    }
    const entry = node + NODE_ENTRIES_OFFSET + ((<usize>taken) << ENTRY_SHIFT);
    const target = address + ((<usize>received) << ENTRY_SHIFT);
    // Plain: the node is this thread's since it was popped. As `take`, with the node's word stored once, inside the
    // last record.
    const first = load<u64>(entry);
    store<u64>(target, first);
    store<u64>(target + 8, load<u64>(entry + 8));
    const row = rows + ((<usize>((<u32>first & mask) >>> shift)) << 1);
    const references = <u32>load<u16>(row);
    if (references == LEDGER_MAX) {
      setLastCode(ERR_REF_OVERFLOW);
      break;
    }
    store<u32>(record, RECORD_RECEIVE | (taken << RECORD_INDEX_SHIFT) | (references << RECORD_ROW_SHIFT));
    store<u16>(row, <u16>(references + 1));
    taken += 1;
    received += 1;
  }
  store<u32>(node + NODE_TAKEN_OFFSET, taken);
  recordDone();
  if (taken >= count) empty(node);
  add(lane + LANE_RECEIVED_OFFSET, received);
  if (popped) wakeAwaited(block + CHANNEL_NOT_FULL_OFFSET);
  return received;
}

/** Whether this port would receive an entry now: 1 or 0. */
export function canReceive(channel: u32): u32 {
  const block = blockOf(channel);
  const lane = laneOf(block);
  const node = nodeAddress(block, load<u32>(lane + LANE_INBOX_OFFSET));
  // Plain: the inbox is this thread's.
  if (load<u32>(node + NODE_TAKEN_OFFSET) < load<u32>(node + NODE_COUNT_OFFSET)) return 1;
  return <u32>(ringPop(block, 0, lane + LANE_HEAD_OFFSET, 0) == OK);
}

/** No entry is accepted any more; those inside can be received. Wakes every waiter. */
export function closeChannel(channel: u32): void {
  const block = blockOf(channel);
  // R5 pairs with A4 in isClosed: a sender that sees the close sends nothing more.
  astore(block + CHANNEL_CLOSED_OFFSET, 1);
  wakeAll(block + CHANNEL_NOT_EMPTY_OFFSET);
  wakeAll(block + CHANNEL_NOT_FULL_OFFSET);
}

/**
 * Releases what is left in the inbox; a call among it fails first, so that no death leaves its asker without an answer.
 */
function dropInbox(block: usize, lane: usize): u32 {
  const node = nodeAddress(block, load<u32>(lane + LANE_INBOX_OFFSET));
  // Plain: constant; the node is this thread's.
  if (load<u32>(block + CHANNEL_CALLS_OFFSET) != 0) {
    for (let i = load<u32>(node + NODE_TAKEN_OFFSET); i < load<u32>(node + NODE_COUNT_OFFSET); i++) {
      failCall(load<u32>(node + NODE_ENTRIES_OFFSET + ((<usize>i) << ENTRY_SHIFT) + ENTRY_TAG_OFFSET));
    }
  }
  return drop(lane, node);
}

/** Releases every entry that this thread can reach: its inbox and what is in the ring. How many. */
export function drainChannel(channel: u32): u32 {
  const block = blockOf(channel);
  const lane = laneOf(block);
  let dropped = dropInbox(block, lane);
  while (ringPop(block, lane + LANE_INBOX_OFFSET, lane + LANE_HEAD_OFFSET, 0) == OK) dropped += dropInbox(block, lane);
  if (dropped != 0) wake(block + CHANNEL_NOT_FULL_OFFSET);
  return dropped;
}

/** How many channels the pool has. */
export function channelCount(): u32 {
  return load<u32>(CONTROL_BASE + HEADER_CHANNEL_COUNT_OFFSET); // plain: constant
}
