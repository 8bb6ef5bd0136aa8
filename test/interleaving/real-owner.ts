// The owner's side of a pool with areas, and what other threads ask of it, as the explorer's threads run it.
//
// What is called is the shipped code. The order in which Supply (src/supply/supply.ts) calls it, around its timers and
// the callbacks of providers, is written out here: each function names the method whose order it has.

import { AREAS_WANTED } from '../../assembly/layout.js';
import { claimPort, freePort, type Seat } from '../../src/control/claims.js';
import type { Geometry } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import { announceAreas, areasEpoch, leaveWant, ringOwner } from '../../src/control/owner.js';
import { announce } from '../../src/control/state.js';
import type { Engine } from '../../src/engine/engine.js';
import {
  askAgain,
  hide,
  type OwnerSeat,
  publish,
  setAreasEpoch,
  takeAsking,
  takeAtEnd,
  takeRetired,
  takeWants,
  unaware,
  withdraw,
} from '../../src/supply/owner-words.js';
import { Recall } from '../../src/supply/recall.js';

export { Recall };

/** As Supply has it. */
const COLLECT_ROUNDS = 4;

/** An area, as far as the owner's words are concerned. */
export interface ModelArea {
  readonly firstPage: number;
  readonly pages: number;
  isRetiring: boolean;
  /** Every page was with its provider while it was retiring: other threads may be told that it is gone. */
  isGone: boolean;
  /** Its pages are fed, and wait until every thread knows it. */
  isWaiting: boolean;
}

/** What one owner knows. */
export interface Office {
  readonly owner: OwnerSeat & { readonly engine: Pick<Engine, 'park' | 'unpin' | 'wake'> };
  readonly recall: Recall;
  readonly areas: readonly ModelArea[];
  /** Page -> 1: fed, and not come home. */
  readonly isOut: Uint8Array;
  /** Writes `isOut`: the owner's alone, so that no write of it is a step. */
  readonly out: { add(page: number): void; delete(page: number): void };
  /** The areas are those of a reserve, which the pool has beside its own pages. */
  readonly isReserve: boolean;
}

/** Supply.commit of a step that retires an area. */
export function retireArea(office: Office, index: number): number {
  const area = office.areas[index] as ModelArea;
  area.isRetiring = true;
  callHome(office, area);
  return 1;
}

/** Supply.#callHome. */
function callHome({ isOut, owner, recall }: Office, area: ModelArea): void {
  withdraw(owner, area.firstPage, area.pages, isOut);
  recall.start(area, isOut);
}

/** Supply.commit of a step that keeps an area after all. */
export function keepArea({ areas, recall }: Office, index: number): number {
  const area = areas[index] as ModelArea;
  area.isRetiring = false;
  recall.stop(area);
  return 1;
}

/** Supply.#collect: the pages that came home, a bit each. */
export function collect(office: Office): number {
  const { areas, isOut, out, owner, recall } = office;
  let home = 0;
  for (let round = 0; round < COLLECT_ROUNDS; round++) {
    for (const area of areas) if (area.isRetiring && !area.isGone) callHome(office, area);
    const pages = takeRetired(owner);
    recall.done(pages);
    if (pages.length === 0) break;
    for (const page of pages) {
      out.delete(page);
      home |= 1 << page;
    }
  }
  for (const area of areas) area.isGone ||= area.isRetiring && countOut(area, isOut) === 0;
  return home >>> 0;
}

function countOut({ firstPage, pages }: ModelArea, isOut: Uint8Array): number {
  let count = 0;
  for (let page = firstPage; page < firstPage + pages; page++) count += isOut[page] as number;
  return count;
}

/** Supply.trim: the pages that came home, those that nobody took among them. */
export function trim(office: Office): number {
  const { areas, isOut, owner } = office;
  for (const { firstPage, isGone, pages } of areas) if (!isGone) withdraw(owner, firstPage, pages, isOut);
  return collect(office);
}

/** Supply.#list of these pages, of which each is with the provider and of an area that every thread knows. */
export function feed({ isReserve, out, owner }: Office, pages: readonly number[]): number {
  for (const page of pages) out.add(page);
  if (pages.length > 0) publish(owner, pages, isReserve);
  return pages.length;
}

/** Supply.#change and #list of a step that adds an area and feeds its pages: 1 if they are listed at once. */
export function addArea(office: Office, index: number, epoch: number): number {
  const area = office.areas[index] as ModelArea;
  area.isWaiting = true;
  setAreasEpoch(office.owner, epoch);
  post(office.owner, epoch);
  announce(office.owner.memory);
  return listWaiting(office, index, epoch);
}

/** Supply.#list of an area that waits for threads to know it: 1 if its pages are listed now. */
export function listWaiting(office: Office, index: number, since: number): number {
  const area = office.areas[index] as ModelArea;
  if (!area.isWaiting || unaware(office.owner, since).length !== 0) return 0;
  area.isWaiting = false;
  return feed(office, pagesOf(area));
}

/** Supply.#answerAsking: to how many threads all areas were told. */
export function answerAsking({ owner }: Office, epoch: number): number {
  const asking = takeAsking(owner).length;
  if (asking > 0) post(owner, epoch);
  return asking;
}

/** The same where the platform refuses to post them. */
export function answerInVain({ owner }: Office): number {
  askAgain(owner, takeAsking(owner));
  return 0;
}

/** Supply.#withdraw of an area that is fed, and waits for threads to know it: its pages are as ones that came home. */
export function takeWaiting({ areas, isReserve, out, owner }: Office, index: number): number {
  const area = areas[index] as ModelArea;
  area.isWaiting = false;
  for (const page of pagesOf(area)) {
    out.add(page);
    hide(owner, page, isReserve);
  }
  return area.pages;
}

function pagesOf({ firstPage, pages }: ModelArea): number[] {
  const numbers: number[] = [];
  for (let page = firstPage; page < firstPage + pages; page++) numbers.push(page);
  return numbers;
}

/** Supply.serve, of a provider that feeds as many pages as are wanted, if it has them: how many were wanted. */
export function serve(office: Office): number {
  const wanted = takeWants(office.owner);
  collect(office);
  const pages = atHome(office).slice(0, wanted);
  feed(office, pages);
  return wanted;
}

/** A provider that feeds all that it may. */
export function feedHome(office: Office): number {
  return feed(office, atHome(office));
}

/** Pages that the provider may feed. */
function atHome({ areas, isOut }: Office): number[] {
  const pages: number[] = [];
  for (const { firstPage, isRetiring, pages: count } of areas) {
    for (let page = firstPage; page < firstPage + count; page++) {
      if (!isRetiring && isOut[page] === 0) pages.push(page);
    }
  }
  return pages;
}

/** What Attachment.detach and end (src/pool/attachment.ts) do in the owner's thread, whose port holds nothing. */
export function leaveOffice({ owner, recall }: Office): number {
  const { engine } = owner;
  engine.park();
  recall.stop();
  freePort(owner);
  announce(owner.memory);
  return 1;
}

/** Supply.#returnAll: pages that came home after the pool's end, a bit each. */
export function takeAllAtEnd({ areas, isOut, out, owner }: Office): number {
  let home = 0;
  for (const { firstPage, pages } of areas) {
    for (let page = firstPage; page < firstPage + pages; page++) {
      if (isOut[page] === 0 || !takeAtEnd(owner, page)) continue;
      out.delete(page);
      home |= 1 << page;
    }
  }
  return home >>> 0;
}

/** What src/port/want.ts does in a thread that is not the owner. */
export function wantPages(seat: Seat, count: number): number {
  const isNew = leaveWant(seat, count);
  if (isNew) ringOwner(seat);
  return isNew ? 1 : 0;
}

/**
 * The other thread's end of the channel by which areas are announced, in scratch that nobody uses: whether it is open,
 * and the epoch that the last message had.
 */
function channelIndex({ maxPorts, scratchBytes, scratchOffset }: Geometry): number {
  return (scratchOffset + (maxPorts - 1) * scratchBytes) >>> 2;
}

/** Areas.post: it reaches whoever has opened the channel, and nobody who opens it later. */
function post({ geometry, memory }: OwnerSeat, epoch: number): void {
  const index = channelIndex(geometry);
  // N3 no ordering needed: as for N1 of attachKnowing.
  if (Atomics.load(memory.i32, index) !== 0) Atomics.store(memory.i32, index + 1, epoch);
}

/**
 * What src/port/port.ts openPort does with a table of areas of that epoch, in a thread that cannot fetch what is
 * posted: the port's number + 1, or 0 where the thread gets no page before it has learned of all areas.
 */
export function attachKnowing(memory: PoolMemory, geometry: Geometry, epoch: number): number {
  const id = claimPort(memory, geometry);
  const seat = { id, claim: 0, memory, geometry };
  // N1 no ordering needed: as MessagePorts have it, what is posted from here on arrives.
  Atomics.store(memory.i32, channelIndex(geometry), 1);
  announceAreas(seat, epoch);
  ringOwner(seat);
  if (areasEpoch(memory) === epoch) return id + 1;
  announceAreas(seat, AREAS_WANTED);
  ringOwner(seat);
  return 0;
}

/** The message with the area arrives, if it was sent: 1, and the thread may have pages. */
export function receiveAreas(seat: Seat, epoch: number): number {
  // N2 no ordering needed: likewise.
  if (Atomics.load(seat.memory.i32, channelIndex(seat.geometry) + 1) !== epoch) return 0;
  announceAreas(seat, epoch);
  ringOwner(seat);
  return areasEpoch(seat.memory) === epoch ? 1 : 0;
}
