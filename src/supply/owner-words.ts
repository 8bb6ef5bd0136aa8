// The owner's words: how the thread that calls a pool's providers takes part in what all threads share.
//
// What of the owner's side touches shared words, apart from its timers, its messages and the providers' callbacks
// (supply.ts), so that an explorer can step it against other threads. Pages that left circulation stand in the retired
// bits until the owner takes them; pages that a provider feeds are listed in the supply bits, where any port finds them
// (assembly/supply.ts). The owner's thread only; nothing here blocks. What other threads do with the owner's words is
// in src/control/owner.ts.

import {
  AREAS_ANSWERED,
  AREAS_WANTED,
  CLAIM_FREE,
  CLAIM_REAPING,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  HEADER_AREAS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_FREED_OFFSET,
  HEADER_OWNER_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_HELD,
  HOME_LEFT,
  HOME_RESERVE,
  HOME_RETIRED,
  HOME_RETURNED,
  HOME_STAMP_MASK,
  HOME_STATE_MASK,
  PIN_LEFT,
  PORT_AREAS_OFFSET,
  PORT_WANT_OFFSET,
  RETIRED_INDEX_BITS,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
} from '../../assembly/layout.js';
import { claimOf, type Seat, seatWord } from '../control/claims.js';
import { homeState } from '../control/nodes.js';
import { descriptorAt, loweredHint, portOffset } from '../control/places.js';
import type { Engine } from '../engine/engine.js';

/** The seat of the thread that calls the providers. */
export interface OwnerSeat extends Seat {
  readonly engine: Pick<Engine, 'unpin' | 'wake'>;
}

/** Names this thread as the owner, before any other one attaches. */
export function takeOffice(owner: OwnerSeat): void {
  // N4 no ordering needed: nobody has attached yet.
  Atomics.store(owner.memory.i32, (CONTROL_BASE + HEADER_OWNER_OFFSET) >>> 2, seatWord(owner));
}

// ---------------------------------------------------------------------------------- calls, wants and areas

/** How often the owner was called. */
export function demandCount({ memory }: OwnerSeat): number {
  // A1 pairs with R1 in src/control/owner.ts ringOwner: whoever calls after this rings the bell once more.
  return Atomics.load(memory.i32, (CONTROL_BASE + HEADER_DEMAND_OFFSET) >>> 2);
}

/** What all ports want together; they want nothing from here on. */
export function takeWants({ geometry, memory }: OwnerSeat): number {
  let wanted = 0;
  for (let id = 0; id < geometry.maxPorts; id++) {
    const index = (portOffset(geometry, id) + PORT_WANT_OFFSET) >>> 2;
    // N5 no ordering needed: read first, so that a quiet port costs no exchange.
    if (Atomics.load(memory.i32, index) === 0) continue;
    // X3 pairs with X5 in src/control/owner.ts leaveWant: a want that comes after this is taken next time.
    wanted += Atomics.exchange(memory.i32, index, 0);
  }
  return wanted;
}

/** The areas have changed: every thread finds that out by what it compares first. */
export function setAreasEpoch({ memory }: OwnerSeat, epoch: number): void {
  // R1 pairs with A7 in src/control/owner.ts areasEpoch: posted after this, so whoever compares before it has a channel
  // that brings the change. Pages of new areas are listed behind both.
  Atomics.store(memory.i32, (CONTROL_BASE + HEADER_AREAS_OFFSET) >>> 2, epoch);
}

/** Ports whose threads would look up a page of an area of that epoch in vain. */
export function unaware({ geometry, id: own, memory }: OwnerSeat, since: number): number[] {
  const ports: number[] = [];
  for (let id = 0; id < geometry.maxPorts; id++) {
    const state = claimOf(memory, geometry, id) & CLAIM_STATE_MASK;
    if (id === own || state === CLAIM_FREE || state === CLAIM_REAPING) continue;
    // A2 pairs with R6 in src/control/owner.ts announceAreas: the port's table is of the word's epoch.
    const known = Atomics.load(memory.i32, (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2) >>> 0;
    // A thread that pulls checks by itself, and one that asks for the areas gets no page before it has them.
    if (known >= AREAS_ANSWERED) continue;
    if ((known - since) << 1 < 0) ports.push(id);
  }
  return ports;
}

/** Ports whose threads have asked for all areas and do not know them yet: they get no page, and receive none. */
export function lacking({ geometry, memory }: OwnerSeat): number[] {
  const ports: number[] = [];
  for (let id = 0; id < geometry.maxPorts; id++) {
    const state = claimOf(memory, geometry, id) & CLAIM_STATE_MASK;
    if (state === CLAIM_FREE || state === CLAIM_REAPING) continue;
    // N26 no ordering needed: a look, for reports.
    const known = Atomics.load(memory.i32, (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2) >>> 0;
    if (known === AREAS_WANTED || known === AREAS_ANSWERED) ports.push(id);
  }
  return ports;
}

/** Ports whose threads ask for all areas: they count as answered from here on. */
export function takeAsking({ geometry, memory }: OwnerSeat): number[] {
  const ports: number[] = [];
  for (let id = 0; id < geometry.maxPorts; id++) {
    const index = (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2;
    // N6 no ordering needed: whoever asks again is answered again.
    const known = Atomics.compareExchange(memory.i32, index, AREAS_WANTED | 0, AREAS_ANSWERED | 0);
    if (known >>> 0 === AREAS_WANTED) ports.push(id);
  }
  return ports;
}

/** They could not be answered, and ask again; a thread that has learned of all by another message stays as it is. */
export function askAgain({ geometry, memory }: OwnerSeat, ports: readonly number[]): void {
  for (const id of ports) {
    const index = (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2;
    // N23 no ordering needed: the next check answers.
    Atomics.compareExchange(memory.i32, index, AREAS_ANSWERED | 0, AREAS_WANTED | 0);
  }
}

// ---------------------------------------------------------------------------------- pages that go out

/** Lets any port take the pages, which are all of one provider. */
export function publish(owner: OwnerSeat, pages: readonly number[], isReserve: boolean): void {
  const { engine, geometry, memory } = owner;
  let first = geometry.pageCount;
  for (const page of pages) {
    setHome(owner, page, HOME_FRESH | (isReserve ? HOME_RESERVE : 0));
    const word = (geometry.supplyBitsOffset + 4 * (page >>> RETIRED_WORD_SHIFT)) >>> 2;
    // X8 pairs with X7 in assembly/supply.ts claim: the page's state is visible to whoever clears the bit.
    Atomics.or(memory.i32, word, 1 << (page & 31));
    first = Math.min(first, page);
  }
  lowerHint(owner, geometry.supplyHintOffset, first >>> RETIRED_WORD_SHIFT);
  engine.wake(CONTROL_BASE + HEADER_FREED_OFFSET);
}

/**
 * Takes pages back that were published and that nobody has taken: those of `pages` numbers from `firstPage` that are
 * out.
 */
export function withdraw(owner: OwnerSeat, firstPage: number, pages: number, isOut: Uint8Array): void {
  const { i32 } = owner.memory;
  for (let page = firstPage; page < firstPage + pages; page++) {
    if (isOut[page] === 0) continue;
    const index = homeIndex(owner, page);
    // N25 no ordering needed: the exchange decides.
    const home = Atomics.load(i32, index);
    if ((home & HOME_STATE_MASK) !== HOME_FRESH) continue;
    const next = (home & (HOME_STAMP_MASK | HOME_RESERVE)) | HOME_RETIRED;
    // X18 pairs with X2 in assembly/supply.ts claim: a port takes the page, or the owner takes it back.
    if (Atomics.compareExchange(i32, index, home, next) === home) relist(owner, page);
  }
}

/** A page that was fed and not published yet is from here on as one that came home. */
export function hide(owner: OwnerSeat, page: number, isReserve: boolean): void {
  setHome(owner, page, HOME_RETIRED | (isReserve ? HOME_RESERVE : 0));
  relist(owner, page);
}

function homeIndex({ geometry }: OwnerSeat, page: number): number {
  return (descriptorAt(geometry, page) + DESCRIPTOR_HOME_OFFSET) >>> 2;
}

function setHome(owner: OwnerSeat, page: number, flagsAndState: number): void {
  const { i32 } = owner.memory;
  const index = homeIndex(owner, page);
  // Plain: the page is the owner's alone until its bit is set.
  const stamp = (i32[index] as number) & HOME_STAMP_MASK;
  // N7 no ordering of its own: likewise.
  Atomics.store(i32, index, stamp | flagsAndState);
}

/** Sets a page's retired bit, as assembly/supply.ts list. The owner searches from the start the next time. */
function relist(owner: OwnerSeat, page: number): void {
  const { geometry, memory } = owner;
  if (geometry.ownPages !== 0) return; // found by its state, see takeRetired
  const word = (geometry.retiredBitsOffset + 4 * (page >>> RETIRED_WORD_SHIFT)) >>> 2;
  // X22 pairs with X14 in takeRetired: this thread's own.
  Atomics.or(memory.i32, word, 1 << (page & 31));
  lowerHint(owner, CONTROL_BASE + HEADER_RETIRED_OFFSET, page >>> RETIRED_WORD_SHIFT);
}

function lowerHint({ memory }: OwnerSeat, offset: number, index: number): void {
  const { i32 } = memory;
  const hint = offset >>> 2;
  for (;;) {
    // N9 no ordering needed: the exchange decides.
    const seen = Atomics.load(i32, hint);
    // X10 pairs with X13 in assembly/supply.ts takeListed, and in takeRetired: whoever checked before us does not move
    // the hint past our bits.
    if (Atomics.compareExchange(i32, hint, seen, loweredHint(seen, index)) === seen) return;
  }
}

// ---------------------------------------------------------------------------------- pages that come home

/** Takes the pages that left circulation out of the retired bits: they are with their providers from here on. */
export function takeRetired(owner: OwnerSeat): number[] {
  const { geometry, memory } = owner;
  const taken: number[] = [];
  if (geometry.ownPages !== 0) {
    // The bits are those of the pool's own pages: the reserve's few are checked one by one.
    for (let page = geometry.ownPages + 1; page <= geometry.pageCount; page++)
      if (takeBack(owner, page)) taken.push(page);
    return taken;
  }
  const { i32 } = memory;
  const hint = (CONTROL_BASE + HEADER_RETIRED_OFFSET) >>> 2;
  // A11 pairs with X8 in assembly/supply.ts list: bits set before the hint was moved down are seen.
  const seen = Atomics.load(i32, hint);
  const end = (geometry.pageCount >>> RETIRED_WORD_SHIFT) + 1;
  for (let index = seen & RETIRED_INDEX_MASK; index < end; index++) {
    const word = (geometry.retiredBitsOffset + 4 * index) >>> 2;
    // N12 no ordering needed: read first, so that empty words cost no exchange.
    if (Atomics.load(i32, word) === 0) continue;
    // X14 pairs with X9 in assembly/supply.ts list: a page's state is visible with its bit.
    for (let bits = Atomics.exchange(i32, word, 0); bits !== 0; bits &= bits - 1) {
      const page = index * 32 + 31 - Math.clz32(bits & -bits);
      if (takeBack(owner, page)) taken.push(page);
    }
  }
  // X13 pairs with X8 in assembly/supply.ts list: a page retired meanwhile has moved the hint, and it stays.
  Atomics.compareExchange(i32, hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | end);
  return taken;
}

function takeBack(owner: OwnerSeat, page: number): boolean {
  const { i32 } = owner.memory;
  // A15 pairs with X4 in assembly/supply.ts retire: the page's last user is done with it.
  if ((Atomics.load(i32, homeIndex(owner, page)) & HOME_STATE_MASK) !== HOME_RETIRED) return false;
  // N16 no ordering needed: nobody uses the page. The mark of its leaving goes, and a pin by which the owner called it;
  // first, so that an owner that dies here leaves no page with its provider that counts as pinned.
  Atomics.store(i32, pinsIndex(owner, page), 0);
  setHome(owner, page, HOME_RETURNED);
  return true;
}

/** The pool is destroyed: whatever is out comes back, but for a page that is pinned. False: the page is. */
export function takeAtEnd(owner: OwnerSeat, page: number): boolean {
  if (homeState(owner, page) === HOME_LEFT) return false;
  setHome(owner, page, HOME_RETURNED);
  return true;
}

// ---------------------------------------------------------------------------------- pages that are called home

function pinsIndex({ geometry }: OwnerSeat, page: number): number {
  return (descriptorAt(geometry, page) + DESCRIPTOR_PINS_OFFSET) >>> 2;
}

/**
 * Makes a page leave circulation with its last release. A pin of the owner does that, beside those of others or alone,
 * and refills waive pinned pages that they find in the ring. `recalled` are the pages on which the owner has one; it
 * comes off once they left.
 */
export function recallPage(owner: OwnerSeat, page: number, recalled: Set<number>): void {
  const { engine, memory } = owner;
  const pins = pinsIndex(owner, page);
  // N17 no ordering needed: a page that moves on meanwhile is found next time.
  const state = Atomics.load(memory.i32, homeIndex(owner, page)) & HOME_STATE_MASK;
  if (state === HOME_HELD) {
    // X19 pairs with X4 in assembly/pin.ts leave: the last release sees the pin, or the page is home and waived.
    if (Atomics.compareExchange(memory.i32, pins, 0, 1) === 0) recalled.add(page);
  } else if (state === HOME_LEFT) {
    // A20 pairs with X4 in assembly/pin.ts leave: the page has left, and is not about to.
    const hasLeft = (Atomics.load(memory.i32, pins) & PIN_LEFT) !== 0;
    // The owner's pin goes, where it has one: those of others keep the page away.
    if (hasLeft && recalled.delete(page)) engine.unpin(page);
  }
}
