// Reaping: what a dead thread's port has goes back where it belongs, and the port is free again.
//
// The reaper claims the port and then is that port: it settles the operation record, tidies what the record does not
// cover, and returns everything with the port's own engine calls, as a thread does that detaches. So whatever the
// reaper does has a record in the dead port's name, and a reaper that dies leaves a dead port: the next one goes on
// where it stopped. Rejected: adopting row by row into the reaper's own ledger, which needs a redo record of its own
// for each step.

import {
  BIAS_THRESHOLD,
  CLAIM_REAPING,
  CLAIM_SEQ_SHIFT,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  COUNTER_REPAIRED,
  COUNTER_SUSPECT,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_SUSPECT_OFFSET,
  ENTRY_SHIFT,
  EVENT_KNOWN_OFFSET,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  HEADER_TAKER_OFFSET,
  LANE_CREDIT_OFFSET,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  LEDGER_MAX,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_MORE_OFFSET,
  NODE_TAKEN_OFFSET,
  PORT_AREAS_OFFSET,
  PORT_BELL_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_COUNTING_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_WANT_OFFSET,
  PORT_WATCHED_COUNT,
  PORT_WATCHED_OFFSET,
  RECORD_RECEIVE,
  RECORD_TOKEN,
  TOKEN_FILLING,
  TOKEN_FREE,
  TOKEN_HANDLE_OFFSET,
  TOKEN_LENT,
  TOKEN_PORT_MASK,
  TOKEN_PORT_SHIFT,
  TOKEN_SEQ_SHIFT,
  TOKEN_SHIFT,
  TOKEN_STATE_MASK,
  TOKEN_TAKING,
} from '../../assembly/layout.js';
import { portOfSeat, reaperOf, reapingClaim } from '../control/claims.js';
import type { ChannelGeometry } from '../control/geometry.js';
import { leaveCalls, returnInbox } from '../control/messages.js';
import { laneOffset, poolEvents } from '../control/nodes.js';
import { portOffset } from '../control/places.js';
import type { Steps } from '../control/steps.js';
import { DeadPort } from './dead-port.js';
import { listForOwner } from './listing.js';
import type { ReapReport } from './report.js';
import { settleRecord } from './settle.js';

/** A report under way. */
export type Findings = { -readonly [Key in keyof ReapReport]: ReapReport[Key] };

/** A report that found nothing. */
export function emptyFindings(portId: number): Findings {
  return {
    portId,
    isReaped: false,
    isQuarantined: false,
    isRepaired: false,
    pages: 0,
    references: 0,
    cachedPages: 0,
    unsentEntries: 0,
    returnedEntries: 0,
    droppedEntries: 0,
    tokens: 0,
    suspects: [],
    inherited: [],
  };
}

/**
 * Claims a dead port for `reaper`. False: its claim word is not `seen` any more, and somebody else has it. The word
 * also names who goes on when this reaper dies: whoever reaps it.
 */
export function* claimDead(port: DeadPort, seen: number, reaper: number): Steps<boolean> {
  // Of two reapers one wins; what the dead thread wrote came before its end, and its end before any reaper knew of it.
  return (yield* port.exchange(port.offset + PORT_CLAIM_OFFSET, seen, reapingClaim(seen, reaper))) === seen;
}

/**
 * Reaps a port that the caller has claimed, and every port that its thread was reaping. `scratch`: an address where the
 * entries of a node may be written.
 */
export function* reapClaimed(port: DeadPort, reaper: number, scratch: number, findings: Findings): Steps<void> {
  findings.isReaped = true;
  forgetImpossible(port);
  findings.isRepaired = yield* settleRecord(port);
  tidyMagazines(port);
  yield* tidyFragmentPage(port);
  findings.suspects = yield* markSuspect(port);
  findings.tokens = yield* takeTokens(port);
  yield* clearWaiters(port);
  yield* listForOwner(port);
  for (const channel of port.geometry.channels) findings.unsentEntries += yield* emptyOutbox(port, channel);
  findings.cachedPages = port.magazines().reduce((sum, magazine) => sum + port.pagesIn(magazine).length, 0);
  yield { call: ['park'] };
  yield* releaseRows(port, findings);
  yield* leaveCalls(port, scratch);
  for (const [index, channel] of port.geometry.channels.entries()) {
    // It may have died while it made the node an empty one.
    if (yield* returnInbox(port, index, scratch, findings)) clearNode(port, port.node(channel, LANE_INBOX_OFFSET));
  }
  yield { call: ['park'] };
  addToCounter(port, COUNTER_REPAIRED, findings.isRepaired ? 1 : 0);
  addToCounter(port, COUNTER_SUSPECT, findings.suspects.length);
  findings.inherited = yield* inherit(port, reaper);
  yield* ringEveryBell(port);
  yield* free(port);
}

/**
 * A count that no node can have was overwritten: what is in the node is not known, and is left to the audit. Taking
 * what lies there would make pages somebody's twice.
 */
function forgetImpossible(port: DeadPort): void {
  for (const magazine of port.magazines()) {
    if (port.word(magazine + NODE_COUNT_OFFSET) > port.geometry.magazineCapacity)
      port.setWord(magazine + NODE_COUNT_OFFSET, 0);
  }
  for (const channel of port.geometry.channels) {
    for (const holder of [LANE_OUTBOX_OFFSET, LANE_INBOX_OFFSET] as const) {
      const node = port.node(channel, holder);
      const count = port.word(node + NODE_COUNT_OFFSET);
      if (count > channel.batch || port.word(node + NODE_TAKEN_OFFSET) > channel.batch) clearNode(port, node);
    }
  }
}

/**
 * A page in a magazine has no holder, and is in one: what the death left half done is decided by that. Pages in the
 * magazine that merges go through, which is empty between calls, are held from here on; reaping releases what is held.
 */
function tidyMagazines(port: DeadPort): void {
  const [loaded, merge] = port.magazines();
  const [pages, others] = [port.pagesIn(loaded), port.pagesIn(merge)];
  const last = others.at(-1);
  if (last !== undefined && pages.at(-1) === last) port.setWord(merge + NODE_COUNT_OFFSET, others.length - 1);
  for (const page of pages) port.setRow(page, 0);
  const rest = port.pagesIn(merge);
  for (let left = rest.length - 1; left >= 0; left--) {
    port.setRow(rest[left] as number, 1);
    port.setWord(merge + NODE_COUNT_OFFSET, left);
  }
}

/** A page that was about to be opened: still in the magazine, or out of it and not open yet. */
function* tidyFragmentPage(port: DeadPort): Steps<void> {
  const page = port.get(PORT_FRAGMENT_PAGE_OFFSET);
  if (page === 0) return;
  const isCached = port.magazines().some((magazine) => port.pagesIn(magazine).includes(page));
  if (!isCached) {
    const references = yield* port.load(port.descriptor(page) + DESCRIPTOR_COUNT_OFFSET);
    if (references >= BIAS_THRESHOLD) return;
    port.setRow(page, 1); // held like any page, so that reaping releases it
  }
  port.set(PORT_FRAGMENT_PAGE_OFFSET, 0);
}

/** The page whose count was about to move: nobody can know whether it did. */
function* markSuspect(port: DeadPort): Steps<number[]> {
  const page = port.get(PORT_COUNTING_OFFSET);
  if (page === 0) return [];
  yield* port.store(port.descriptor(page) + DESCRIPTOR_SUSPECT_OFFSET, 1);
  port.set(PORT_COUNTING_OFFSET, 0);
  return [page];
}

/**
 * Tokens in this port's hands: those it was filling are free again, those it was adopting are its references. How many
 * of these.
 */
function* takeTokens(port: DeadPort): Steps<number> {
  const { tokensOffset, tokenCount } = port.geometry;
  let taken = 0;
  for (let index = 0; index < tokenCount; index++) {
    const token = tokensOffset + (index << TOKEN_SHIFT);
    const word = yield* port.load(token);
    if ((word & TOKEN_PORT_MASK) >>> TOKEN_PORT_SHIFT !== port.id + 1) continue;
    const sequence = word >>> TOKEN_SEQ_SHIFT;
    const state = word & TOKEN_STATE_MASK;
    if (state === TOKEN_FILLING) yield* port.store(token, ((sequence << TOKEN_SEQ_SHIFT) | TOKEN_FREE) >>> 0);
    if (state !== TOKEN_TAKING) continue;
    const page = port.pageOf(port.word(token + TOKEN_HANDLE_OFFSET));
    yield* makeRoom(port, page);
    port.openRecord(RECORD_TOKEN, page, token, (sequence << TOKEN_SEQ_SHIFT) | TOKEN_LENT);
    port.setRow(page, port.row(page) + 1);
    yield* port.store(token, ((sequence + 1) << TOKEN_SEQ_SHIFT) | TOKEN_FREE);
    yield* port.closeRecord();
    taken += 1;
  }
  return taken;
}

/** Makes sure that the row can take one more. */
function* makeRoom(port: DeadPort, page: number): Steps<void> {
  if (port.row(page) === LEDGER_MAX) yield { call: ['releaseHeld', page, 1] };
}

/** Nobody wakes a dead thread any more, or waits for it to have looked. */
function* clearWaiters(port: DeadPort): Steps<void> {
  for (const event of poolEvents(port.geometry)) {
    for (const bits of [EVENT_ONE_OFFSET, EVENT_SEVERAL_OFFSET, EVENT_KNOWN_OFFSET])
      yield* port.clearBits(event + bits + 4 * (port.id >>> 5), 1 << (port.id & 31));
  }
  const taker = CONTROL_BASE + HEADER_TAKER_OFFSET;
  const seen = yield* port.load(taker);
  if (portOfSeat(seen) === port.id) yield* port.exchange(taker, seen, 0);
}

/**
 * Last of all: a thread that the dead one had chosen, and did not ring, has no bit any more, and sleeps. A reaper that
 * dies here leaves the port dead, and the next one rings.
 */
function* ringEveryBell({ geometry, memory }: DeadPort): Steps<void> {
  for (let id = 0; id < geometry.maxPorts; id++) {
    const bell = (portOffset(geometry, id) + PORT_BELL_OFFSET) >>> 2;
    yield;
    // R1 pairs with A1 in src/port/bell.ts readBell: what was returned is visible to whoever finds the bell raised.
    Atomics.add(memory.i32, bell, 1);
    yield;
    // N2 no ordering needed: the bell was raised before.
    Atomics.notify(memory.i32, bell);
  }
}

/** Entries in the outbox are nobody's: not sent, or replaced and not dropped yet. They become the port's references. */
function* emptyOutbox(port: DeadPort, channel: ChannelGeometry): Steps<number> {
  const node = port.node(channel, LANE_OUTBOX_OFFSET);
  const count = port.word(node + NODE_COUNT_OFFSET);
  const first = port.word(node + NODE_TAKEN_OFFSET);
  for (let taken = first; taken < count; taken++) {
    const page = port.pageOf(port.word(node + NODE_ENTRIES_OFFSET + (taken << ENTRY_SHIFT)));
    yield* makeRoom(port, page);
    port.openRecord(RECORD_RECEIVE, page, node, 0, taken);
    port.setWord(node + NODE_TAKEN_OFFSET, taken + 1);
    port.setRow(page, port.row(page) + 1);
    yield* port.closeRecord();
  }
  clearNode(port, node);
  port.setWord(laneOffset(channel, port.id) + LANE_CREDIT_OFFSET, 0);
  return Math.max(0, count - first);
}

/** Makes the node an empty one. The count first: what was taken is never taken again. */
function clearNode(port: DeadPort, node: number): void {
  port.setWord(node + NODE_COUNT_OFFSET, 0);
  port.setWord(node + NODE_TAKEN_OFFSET, 0);
  port.setWord(node + NODE_MORE_OFFSET, 0);
}

/** Releases what the thread held. Pages are tainted on the way: whoever takes one home clears its fragment words. */
function* releaseRows(port: DeadPort, findings: Findings): Steps<void> {
  for (let page = 1; page <= port.geometry.pageCount; page++) {
    const references = port.row(page);
    if (references === 0) continue;
    findings.pages += 1;
    findings.references += references;
    yield { call: ['releaseHeld', page, references] };
  }
}

function addToCounter({ memory, offset }: DeadPort, counter: number, amount: number): void {
  const low = (offset + PORT_COUNTERS_OFFSET + counter) >>> 2;
  const sum = (memory.u32[low] as number) + amount;
  memory.u32[low] = sum;
  if (sum >= 2 ** 32) memory.u32[low + 1] = (memory.u32[low + 1] as number) + 1;
}

/** Takes over the ports that the dead thread was reaping. */
function* inherit(port: DeadPort, reaper: number): Steps<number[]> {
  const inherited: number[] = [];
  for (let id = 0; id < port.geometry.maxPorts; id++) {
    if (id === port.id) continue;
    const other = new DeadPort(port.memory, port.geometry, id);
    const claim = yield* other.load(other.offset + PORT_CLAIM_OFFSET);
    if ((claim & CLAIM_STATE_MASK) !== CLAIM_REAPING || reaperOf(claim) !== port.id) continue;
    if (yield* claimDead(other, claim, reaper)) inherited.push(id);
  }
  return inherited;
}

/** The port is as good as new: its next claimant goes on with its counters and its empty magazines. */
function* free(port: DeadPort): Steps<void> {
  const claim = yield* port.load(port.offset + PORT_CLAIM_OFFSET);
  // Plain: the claim is this reaper's, and its end publishes them.
  for (let i = 0; i < PORT_WATCHED_COUNT; i++) port.set(PORT_WATCHED_OFFSET + 4 * i, 0);
  port.set(PORT_AREAS_OFFSET, 0);
  port.set(PORT_WANT_OFFSET, 0);
  yield* port.store(port.offset + PORT_CLAIM_OFFSET, (claim >>> CLAIM_SEQ_SHIFT) << CLAIM_SEQ_SHIFT);
}
