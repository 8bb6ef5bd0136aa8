// Settling a dead port's operation record: the step it was in is found to have happened, and is finished, or not, and
// is undone.
//
// Every record holds absolute values, so settling sets and never adds: a reaper that dies here is followed by one that
// settles the same record again. What each kind means stands at RECORD_* in assembly/layout.ts; which word shows
// whether the step happened stands at each function here. Source: docs/architecture.md, the exchange ring (three
// witnesses), explored in test/interleaving.

import {
  BIAS,
  BIAS_THRESHOLD,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  ENTRY_SHIFT,
  EXCHANGE_ADDRESS_OFFSET,
  EXCHANGE_BYTES,
  EXCHANGE_HOLDER_OFFSET,
  EXCHANGE_NEW_OFFSET,
  EXCHANGE_SEEN_OFFSET,
  FLAG_ZERO_ON_RELEASE,
  HOME_FRESH,
  HOME_LEFT,
  HOME_RESERVE,
  HOME_RETIRED,
  HOME_STAMP_MASK,
  HOME_STATE_MASK,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_OWNER_OFFSET,
  NODE_TAKEN_OFFSET,
  PIN_LAST_SHIFT,
  PIN_LEFT,
  PORT_EXCHANGES_OFFSET,
  PORT_FRAGMENT_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RECORD_VALUE_OFFSET,
  PORT_RELEASE_OFFSET,
  PORT_TURN_OFFSET,
  RECORD_BACK,
  RECORD_CLAIM,
  RECORD_CUT,
  RECORD_ENTRY,
  RECORD_EXCHANGE,
  RECORD_INDEX_MASK,
  RECORD_INDEX_SHIFT,
  RECORD_KIND_MASK,
  RECORD_LEAVE,
  RECORD_NONE,
  RECORD_PINNED,
  RECORD_RECEIVE,
  RECORD_REPLY,
  RECORD_RETIRE,
  RECORD_ROW_SHIFT,
  RECORD_TOKEN,
  REPLY_CANCELLED,
  REPLY_SERVING,
  REPLY_STATE_MASK,
  TOKEN_FILLING,
  TOKEN_FREE,
  TOKEN_PORT_SHIFT,
  TOKEN_SEQ_SHIFT,
  TOKEN_STATE_MASK,
  TOKEN_TAKING,
  WORD_GENERATION_SHIFT,
  WORD_HOLDERS_MASK,
} from '../../assembly/layout.js';
import { pageOffset } from '../control/geometry.js';
import { nodeOffset } from '../control/nodes.js';
import { portOffset } from '../control/places.js';
import type { Steps } from '../control/steps.js';
import type { DeadPort } from './dead-port.js';
import { list } from './listing.js';

/** A record as it was left. */
interface OpenRecord {
  readonly address: number;
  readonly page: number;
  readonly row: number;
  readonly index: number;
  readonly value: number;
}

const SETTLERS: Readonly<Record<number, (port: DeadPort, record: OpenRecord) => Steps<void>>> = {
  [RECORD_EXCHANGE]: settleExchange,
  [RECORD_CUT]: settleCut,
  [RECORD_ENTRY]: settleEntry,
  [RECORD_BACK]: settleBack,
  [RECORD_CLAIM]: settleClaim,
  [RECORD_RETIRE]: settleRetire,
  [RECORD_PINNED]: settlePinned,
  [RECORD_TOKEN]: settleToken,
  [RECORD_LEAVE]: settleLeave,
  [RECORD_RECEIVE]: settleReceive,
  [RECORD_REPLY]: settleReply,
};

/** Settles the record, if one is open. True: one was. */
export function* settleRecord(port: DeadPort): Steps<boolean> {
  const first = port.get(PORT_RECORD_KIND_OFFSET);
  const kind = first & RECORD_KIND_MASK;
  if (kind === RECORD_NONE) return false;
  yield* (SETTLERS[kind] as (port: DeadPort, record: OpenRecord) => Steps<void>)(port, {
    address: port.get(PORT_RECORD_ADDRESS_OFFSET),
    page: port.get(PORT_RECORD_PAGE_OFFSET),
    row: first >>> RECORD_ROW_SHIFT,
    index: (first & RECORD_INDEX_MASK) >>> RECORD_INDEX_SHIFT,
    value: port.get(PORT_RECORD_VALUE_OFFSET),
  });
  yield* port.closeRecord();
  return true;
}

/**
 * A node exchange: it happened if the word holds what was to come, or another port has seen that, or has taken our
 * node.
 */
function* settleExchange(port: DeadPort, { index }: OpenRecord): Steps<void> {
  const record = PORT_EXCHANGES_OFFSET + index;
  const [address, seen] = [port.get(record + EXCHANGE_ADDRESS_OFFSET), port.get(record + EXCHANGE_SEEN_OFFSET)];
  const [next, holder] = [port.get(record + EXCHANGE_NEW_OFFSET), port.get(record + EXCHANGE_HOLDER_OFFSET)];
  const ring = port.ringOf(holder);
  const nodeMask = 2 ** ring.nodeBits - 1;
  const isDone =
    (yield* port.load(address)) === next ||
    (yield* isSeenByOthers(port, address, next)) ||
    (yield* port.load(nodeOffset(ring, next & nodeMask) + NODE_OWNER_OFFSET)) !== port.id + 1;
  if (!isDone) return;
  port.setWord(nodeOffset(ring, seen & nodeMask) + NODE_OWNER_OFFSET, port.id + 1);
  port.setWord(holder, seen & nodeMask);
  port.set(PORT_TURN_OFFSET, index ^ EXCHANGE_BYTES);
}

/**
 * Whether one of another port's two last exchanges names the word: then it was there. The address is read before the
 * word and after it, since that port may be writing its next record.
 */
function* isSeenByOthers(port: DeadPort, address: number, word: number): Steps<boolean> {
  for (let id = 0; id < port.geometry.maxPorts; id++) {
    if (id === port.id) continue;
    for (const turn of [0, EXCHANGE_BYTES]) {
      const record = portOffset(port.geometry, id) + PORT_EXCHANGES_OFFSET + turn;
      if ((yield* port.load(record + EXCHANGE_ADDRESS_OFFSET)) !== address) continue;
      const isSeen = (yield* port.load(record + EXCHANGE_SEEN_OFFSET)) === word;
      if (isSeen && (yield* port.load(record + EXCHANGE_ADDRESS_OFFSET)) === address) return true;
    }
  }
  return false;
}

/** A cut, or a cut taken back: undone. The unit where the next cut starts has no holder. */
// biome-ignore lint/correctness/useYield: one of several steps, the others reach shared words
function* settleCut(port: DeadPort, { row, value }: OpenRecord): Steps<void> {
  const { unitsPerPageShift } = port.geometry;
  const page = port.get(PORT_FRAGMENT_PAGE_OFFSET);
  port.setRow(page, row);
  port.set(PORT_FRAGMENT_OFFSET, value);
  const first = value >>> 16;
  if (first < 2 ** unitsPerPageShift) vacate(port, (page << unitsPerPageShift) + first);
}

/** Ends the use of a fragment that nobody can have: the next generation, no holder. */
function vacate(port: DeadPort, unit: number): void {
  const address = port.fragmentWord(unit);
  const word = port.word(address);
  if ((word & WORD_HOLDERS_MASK) === 0) return;
  const generationMask = 2 ** port.geometry.generationBits - 1;
  port.setWord(address, (((word >>> WORD_GENERATION_SHIFT) + 1) & generationMask) << WORD_GENERATION_SHIFT);
}

/**
 * An entry from the row into the outbox: undone. Those before it are in; a burst stores the count with its last one.
 */
// biome-ignore lint/correctness/useYield: see settleCut
function* settleEntry(port: DeadPort, { row, index, address }: OpenRecord): Steps<void> {
  port.setRow(pageOfEntry(port, address, index), row);
  port.setWord(address + NODE_COUNT_OFFSET, index);
}

/** The outbox's last entry back into the row: undone. */
// biome-ignore lint/correctness/useYield: see settleCut
function* settleBack(port: DeadPort, { row, index, address }: OpenRecord): Steps<void> {
  port.setRow(pageOfEntry(port, address, index - 1), row);
  port.setWord(address + NODE_COUNT_OFFSET, index);
}

/** An entry from the inbox into the row: undone. Those before it are out; a burst stores that with its last one. */
// biome-ignore lint/correctness/useYield: see settleCut
function* settleReceive(port: DeadPort, { row, index, address }: OpenRecord): Steps<void> {
  port.setRow(pageOfEntry(port, address, index), row);
  port.setWord(address + NODE_TAKEN_OFFSET, index);
}

/** The page of a node's entry. */
function pageOfEntry(port: DeadPort, node: number, index: number): number {
  return port.pageOf(port.word(node + NODE_ENTRIES_OFFSET + (index << ENTRY_SHIFT)));
}

/** A page taken from the provider: it happened if the home word is the one that was to come. */
function* settleClaim(port: DeadPort, { page, address: next, value: holds }: OpenRecord): Steps<void> {
  const descriptor = port.descriptor(page);
  const home = yield* port.load(descriptor + DESCRIPTOR_HOME_OFFSET);
  if (next !== 0 && home === next) {
    // The mark of its last leaving; without it there may be a pin by which the owner called the page back.
    const pins = yield* port.load(descriptor + DESCRIPTOR_PINS_OFFSET);
    if (pins >= PIN_LEFT) yield* port.store(descriptor + DESCRIPTOR_PINS_OFFSET, 0);
    // Held until it is in a magazine: reaping releases what is held.
    if (!port.magazines().some((magazine) => port.pagesIn(magazine).includes(page))) port.setRow(page, 1);
    port.set(PORT_HOLD_OFFSET, holds + 1);
    return;
  }
  const state = home & HOME_STATE_MASK;
  if (isListed(port, page, state)) yield* list(port, state, [page]); // its bit may be gone already
}

/** Whether a page that nobody took is found by its bit, and not by counting up. */
function isListed({ geometry }: DeadPort, page: number, state: number): boolean {
  return state === HOME_RETIRED || (state === HOME_FRESH && page > geometry.ownPages);
}

/** A retirement: it happened if the home word is not the one it had. The stamp decides, whatever flags others set. */
function* settleRetire(
  port: DeadPort,
  { page, index: leaves, address: before, value: releases }: OpenRecord,
): Steps<void> {
  const descriptor = port.descriptor(page);
  const home = descriptor + DESCRIPTOR_HOME_OFFSET;
  let now = yield* port.load(home);
  if (leaves === 0) {
    // The last unpin. Where the pins name this port, nobody else ends the page.
    const pins = yield* port.load(descriptor + DESCRIPTOR_PINS_OFFSET);
    const isLast = pins === (PIN_LEFT | ((port.id + 1) << PIN_LAST_SHIFT)) >>> 0;
    if (isLast && isSameUse(now, before)) {
      zero(port, page);
      yield* port.exchange(home, now, (now & (HOME_STAMP_MASK | HOME_RESERVE)) | HOME_RETIRED);
      now = yield* port.load(home);
    }
  } else if (isSameUse(now, before)) {
    port.setRow(page, 1); // not yet: it is held, and reaping releases it
    return;
  } else port.setRow(page, 0);
  if ((now & HOME_STATE_MASK) === HOME_RETIRED) yield* list(port, HOME_RETIRED, [page]);
  if (leaves !== 0) port.set(PORT_RELEASE_OFFSET, releases + 1);
}

/** Whether a home word is of the same use of the page: taken from the provider as often, and in the same state. */
function isSameUse(now: number, before: number): boolean {
  return ((now ^ before) & (HOME_STAMP_MASK | HOME_STATE_MASK)) === 0;
}

/** Clears the page's bytes where the pool promises that. */
function zero({ clear, memory, geometry }: DeadPort, page: number): void {
  if ((geometry.flags & FLAG_ZERO_ON_RELEASE) === 0) return;
  if (page > geometry.ownPages) {
    clear(page);
    return;
  }
  const start = pageOffset(geometry, page);
  memory.reach(start + geometry.pageBytes).fill(0, start, start + geometry.pageBytes);
}

/** A pinned page's last user leaves: it happened if the page has left, or has been taken again since. */
function* settlePinned(port: DeadPort, { page, address: before, value: releases }: OpenRecord): Steps<void> {
  const descriptor = port.descriptor(page);
  const pins = yield* port.load(descriptor + DESCRIPTOR_PINS_OFFSET);
  const home = yield* port.load(descriptor + DESCRIPTOR_HOME_OFFSET);
  const isOwn = isSameUse(home, before) || isSameUse(home, ((before & HOME_STAMP_MASK) | HOME_LEFT) >>> 0);
  if (pins < PIN_LEFT && isOwn) {
    yield* port.store(descriptor + DESCRIPTOR_HOME_OFFSET, before); // not yet: the page is held, as it was
    return;
  }
  port.setRow(page, 0);
  port.set(PORT_RELEASE_OFFSET, releases + 1);
}

/** A reference between row and token: it happened if the token is not in this port's hands any more. */
function* settleToken(port: DeadPort, { page, row, address: token, value: before }: OpenRecord): Steps<void> {
  const isLending = (before & TOKEN_STATE_MASK) === TOKEN_FREE;
  const state = isLending ? TOKEN_FILLING : TOKEN_TAKING;
  const mark = ((before >>> TOKEN_SEQ_SHIFT) << TOKEN_SEQ_SHIFT) | ((port.id + 1) << TOKEN_PORT_SHIFT) | state;
  const isUnderway = (yield* port.load(token)) === mark >>> 0;
  if (isUnderway) port.setRow(page, row);
  else port.setRow(page, isLending ? row - 1 : row + 1);
}

/**
 * A reference between row and reply slot. Collecting happened if the slot is not as it was. Answering happened unless
 * the slot still names this port as who serves the call, cancelled or not: it does so until the record is closed.
 */
function* settleReply(port: DeadPort, { page, row, address: reply, value: before }: OpenRecord): Steps<void> {
  const now = yield* port.load(reply);
  const isAnswering = (before & REPLY_STATE_MASK) === REPLY_SERVING;
  const isCancelled = isAnswering && now === ((before & ~REPLY_STATE_MASK) | REPLY_CANCELLED);
  if (now === before || isCancelled) port.setRow(page, row);
  else port.setRow(page, isAnswering ? row - 1 : row + 1);
}

/**
 * The fragment page is left: what was decided stands in the row (it goes home), in the cut (used again) or in the
 * count.
 */
function* settleLeave(port: DeadPort, { page, row, value: cut }: OpenRecord): Steps<void> {
  if (port.get(PORT_FRAGMENT_PAGE_OFFSET) !== page) return;
  const counter = port.descriptor(page) + DESCRIPTOR_COUNT_OFFSET;
  if (row === 0 && port.row(page) === 1) {
    yield* port.store(counter, 1);
    port.set(PORT_FRAGMENT_PAGE_OFFSET, 0);
  } else if (cut !== 0 && port.get(PORT_FRAGMENT_OFFSET) === 0) yield* port.store(counter, BIAS);
  else if ((yield* port.load(counter)) < BIAS_THRESHOLD) port.set(PORT_FRAGMENT_PAGE_OFFSET, 0);
}
