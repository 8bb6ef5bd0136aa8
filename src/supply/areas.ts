// Areas: where a page of a provider lies, as one thread knows it.
//
// Buffers cannot lie in shared words, so each thread keeps its own table and follows changes that the owner posts
// (carrier.ts). The header counts the changes, the epoch: a thread that reads bytes compares it first, so a page
// number that was given to another area is never looked up in the old one. Threads that can fetch a posted change at
// once do so then (pull); for the others the owner waits before any page of a new area circulates. Who missed a change
// asks for all of them, and gets no page meanwhile; where nothing can be fetched it asks again, since an answer may get
// lost, and may not block for ever. What is removed is let go of at once: views that the program keeps show the old
// bytes, never another area's.

import {
  AREAS_EPOCH_MASK,
  AREAS_PULLED,
  AREAS_WANTED,
  CONTROL_BASE,
  HEADER_AREAS_OFFSET,
  HEADER_BYTES,
} from '../../assembly/layout.js';
import type { Seat } from '../control/claims.js';
import { type Geometry, pageOffset } from '../control/geometry.js';
import { announceAreas, areasEpoch, leaveWant, ownerState, ownerThread, ringOwner } from '../control/owner.js';
import { NO_AREA, pageOfHandle, startInPage } from '../control/places.js';
import { announce } from '../control/state.js';
import type { Engine } from '../engine/engine.js';
import { lateError, waitingEngine } from '../engine/guarded.js';
import { callError, FURTHER_REMEDIES, reasonOf, show } from '../errors.js';
import { isHandleNumber } from '../numbers.js';
import { blockUntil } from '../platform/blocking.js';
import { isSharedBuffer } from '../platform/buffers.js';
import { noteDropped } from '../platform/dropped.js';
import { hasTimers, startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';
import { Carrier } from './carrier.js';

/** An area as threads announce it to each other. */
export interface SharedArea {
  /** From 1; used again after the area's removal. */
  readonly index: number;
  readonly firstPage: number;
  readonly pages: number;
  /** Undefined: memory that the processor cannot see. */
  readonly buffer: ArrayBufferLike | undefined;
  readonly byteOffset: number;
}

/** A change of a pool's areas. */
export interface AreasChange {
  readonly epoch: number;
  /** The epoch before; null: `added` is all there is. */
  readonly since: number | null;
  readonly added: readonly SharedArea[];
  readonly removed: readonly number[];
}

/** What the table knows of its thread's port. */
export interface AreasSeat extends Seat {
  /** Distinguishes the pool from every other. */
  readonly identity: string;
}

/** Who is notified of a table's changes. */
export interface AreasListener {
  /** Views of these pages are to be forgotten. */
  forget(firstPage: number, pages: number): void;
  /** The table is up to date again. */
  arrived(): void;
}

/** The port whose thread gets no page while its table is behind. */
export interface AreasPort {
  readonly engine: Engine;
  readonly isGone: boolean;
  /** Puts another engine in the place of the port's. */
  standIn(engine: Engine): void;
}

/** How long a thread that fell behind waits for what it asked for, before it asks again; and a new one to compare. */
const ASK_AGAIN_MS = 100;

/** One thread's table of areas. */
export class Areas {
  /** The epoch that the table is of. */
  epoch: number;
  #listener: AreasListener | undefined;
  /** What the port allocates with: another engine while the table is behind. */
  #engineWhile: ((isBehind: boolean) => void) | undefined;
  #seat: AreasSeat;
  readonly #ownPages: number;
  readonly #known = new Map<number, SharedArea>();
  /** Page -> index of its area, 0 = none. */
  readonly #indexes: Uint16Array;
  /**
   * Page -> what leads from where the engine counts it to where it lies in its area, modulo 2^32; 0 for the pool's own.
   */
  readonly #shifts: Int32Array;
  /** Page -> its area's one view, once it was asked for. By page and not by index: the fast path saves a read. */
  readonly #views: (Uint8Array | undefined)[];
  #words: Int32Array;
  /** Undefined: nobody else can be notified, or the thread is done with the pool. */
  #carrier: Carrier | undefined;
  /** This thread has missed a change, and gets no page before it knows of it. */
  #isBehind = false;
  /** The owner was told that this thread pulls. */
  #isPulling = false;
  #askTimer: Timer | undefined;
  #isClosed = false;

  /** @param isOwner this thread calls the providers, and says what changes */
  constructor(seat: AreasSeat, first: AreasChange, isOwner = false) {
    const { geometry, identity, memory } = seat;
    this.#seat = seat;
    this.#ownPages = geometry.ownPages;
    this.#indexes = new Uint16Array(geometry.pageCount + 1);
    this.#shifts = new Int32Array(geometry.pageCount + 1).fill(NO_AREA, geometry.ownPages + 1);
    this.#views = new Array<Uint8Array | undefined>(geometry.pageCount + 1).fill(undefined);
    this.#words = memory.i32;
    this.epoch = first.epoch;
    for (const area of first.added) this.#add(area);
    // Opened before the epoch is compared: a change after that arrives.
    const open = (): Carrier => new Carrier(`pagepool ${identity}`, (change) => this.#receive(change));
    this.#carrier = memory.isShared ? carried('a channel for its areas', open) : undefined;
    if (isOwner) this.#carrier?.takeLines((post) => this.#answer(post));
    else this.#carrier?.openLine(ownerThread(seat) - 1, seat.id);
    this.#acknowledge(true);
    // A browser may bring this thread's channel into being behind what was posted after it had opened, and the owner
    // waits for the thread to know that: it compares once more.
    if (!isOwner && !this.#isBehind) this.#askLater();
  }

  /** A thread that can pull from its line has sent it: from here on it gets all changes by it. */
  #answer(post: (first: AreasChange) => void): void {
    post(this.snapshot());
    announce(this.#seat.memory);
  }

  /**
   * Notifies `listener` of changes from now on. What this thread knows of areas, and what its engine may allocate, go
   * together from here on. Nobody but the table keeps the engine: it would keep the pool's memory.
   */
  listen(listener: AreasListener, port: AreasPort): void {
    if (this.#listener !== undefined) throw new Error('there is a listener');
    this.#listener = listener;
    const { engine } = port;
    this.#engineWhile = (isBehind) => {
      if (port.isGone) return;
      port.standIn(isBehind ? waitingEngine(engine, () => this.catchUp()) : engine);
      if (!isBehind) listener.arrived();
    };
    if (this.#isBehind) this.#engineWhile(true);
  }

  /** What another thread begins with, as far as this one knows. */
  snapshot(): AreasChange {
    return { epoch: this.epoch, since: null, added: [...this.#known.values()], removed: [] };
  }

  /** Whether the page lies in an area, and not in the pool's own memory. */
  #isIn(page: number): boolean {
    return page > this.#ownPages;
  }

  /**
   * The view of the whole area that the handle's page lies in, if it was made before: the fast path. Undefined also
   * where the handle is refused, whose offset is 0, as is that of a page in 4 GiB.
   */
  knownView(engine: Pick<Engine, 'offset'>, handle: number): Uint8Array | undefined {
    if (!isHandleNumber(handle) || engine.offset(handle) === 0) return undefined;
    this.follow();
    return this.#views[pageOfHandle(this.#seat, handle)];
  }

  /** The same of where a fragment starts there, which the engine counts at `offset`; 0 where the handle is refused. */
  knownStart(handle: number, offset: number): number | undefined {
    this.follow();
    const shift = this.#shifts[pageOfHandle(this.#seat, handle)] as number;
    return offset !== 0 && shift !== NO_AREA ? (offset + shift) >>> 0 : undefined;
  }

  /** Clears a page that lies in an area: engines and reapers do it where the pool promises that. */
  clear(page: number): void {
    const start = this.#start('release', page);
    this.#view('release', page).fill(0, start, start + this.#seat.geometry.pageBytes);
  }

  /** The view of the whole area that the page lies in. */
  #view(call: string, page: number): Uint8Array {
    this.follow();
    return this.#views[page] ?? this.#viewAgain(call, page);
  }

  /** Where the page starts in that view. Follows `#view`, or a handle that came since. */
  #start(call: string, page: number): number {
    this.follow();
    if (this.#indexes[page] === 0) this.#viewAgain(call, page);
    return (pageOffset(this.#seat.geometry, page) + (this.#shifts[page] as number)) >>> 0;
  }

  /** The view of the whole area of a checked handle's page; undefined where that is the pool's own. */
  viewOf(call: string, handle: number): Uint8Array | undefined {
    const page = pageOfHandle(this.#seat, handle);
    return this.#isIn(page) ? this.#view(call, page) : undefined;
  }

  /** Where in that view a checked handle's fragment starts; undefined where its page is the pool's own. */
  startOf(call: string, handle: number): number | undefined {
    const page = pageOfHandle(this.#seat, handle);
    return this.#isIn(page) ? this.#start(call, page) + startInPage(this.#seat, handle) : undefined;
  }

  /** `bytes` bytes from `offset` of a checked handle's fragment; undefined where its page is the pool's own. */
  window(call: string, handle: number, offset: number, bytes: number): Uint8Array | undefined {
    const view = this.viewOf(call, handle);
    if (view === undefined) return undefined;
    const start = view.byteOffset + (this.startOf(call, handle) as number) + offset;
    return new Uint8Array(view.buffer, start, bytes);
  }

  /** Whether the processor may read the page of a checked handle. */
  isReadable(handle: number): boolean {
    const page = pageOfHandle(this.#seat, handle);
    this.follow();
    return !this.#isIn(page) || this.#known.get(this.#indexes[page] as number)?.buffer !== undefined;
  }

  /** Asks the provider for `count` pages, at least a magazine. The owner, which `isOwner` is, asks it by itself. */
  want(count: number, isOwner: boolean): void {
    this.follow();
    const isNew = leaveWant(this.#seat, Math.max(count, this.#seat.geometry.magazineCapacity));
    if (isNew && !isOwner) ringOwner(this.#seat);
  }

  /** Whether the thread that calls the provider ended, and nobody took its place. */
  get isOwnerGone(): boolean {
    return ownerState(this.#seat) === 'gone';
  }

  /** Calls the thread that calls the provider: pages came home. */
  ringOwner(): void {
    ringOwner(this.#seat);
  }

  /** Fetches what was posted, where that can be done at once. Costs a load when nothing was. */
  follow(): void {
    // Plain: whoever passed a page of a new area to this thread knew of that by an atomic after the epoch was stored.
    if (this.#words[(CONTROL_BASE + HEADER_AREAS_OFFSET) >>> 2] !== this.epoch) this.#carrier?.pull();
  }

  /** The same; whether this thread knows all areas now. */
  catchUp(): boolean {
    this.#carrier?.pull();
    return !this.#isBehind;
  }

  /**
   * Before this thread blocks: while it lacks an area it gets no page, and receives none. Waits a second at most.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER where only the event loop brings what is missing
   */
  requireAll(call: string): void {
    const look = (): boolean => this.catchUp();
    if (!this.#isBehind || look() || blockUntil(look)) return;
    throw lateError(call, 'return to the event loop first, or use next() here');
  }

  get #canPull(): boolean {
    return this.#carrier?.canPull !== false;
  }

  /** Takes a change over: the owner's own, or one that arrived. */
  apply(change: AreasChange): void {
    if (this.#isClosed) return; // pages that were pinned come home after the pool's end, and their areas go then
    const kept = new Set(change.added.map(({ index }) => index));
    const removed =
      change.since === null ? [...this.#known.keys()].filter((index) => !kept.has(index)) : change.removed;
    for (const index of removed) this.#remove(index);
    for (const area of change.added) if (!isSame(this.#known.get(area.index), area)) this.#add(area);
    this.epoch = change.epoch;
    this.#acknowledge();
  }

  /**
   * Announces a change to other threads, which this thread has made.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER where the platform refuses
   */
  post(change: AreasChange): void {
    carried('its areas announced to its threads', () => this.#carrier?.post(change));
  }

  /** The worker may ask for what the channel does not bring it. */
  carryTo(worker: unknown): void {
    this.#carrier?.listen(worker);
  }

  /** The thread is done with the pool. */
  close(): void {
    this.#carrier?.close();
    this.#carrier = undefined;
    this.#stopAsking();
    this.#isClosed = true;
    for (const index of this.#known.keys()) this.#remove(index);
    // What is kept of the table keeps no memory of the pool.
    this.#listener = undefined;
    this.#engineWhile = undefined;
    this.#words = new Int32Array((CONTROL_BASE + HEADER_BYTES) >>> 2);
    this.epoch = 0;
    this.#seat = { ...this.#seat, memory: { i32: this.#words } as AreasSeat['memory'] };
  }

  #receive(message: unknown): void {
    const change = message as AreasChange | null;
    // Where the platform delivers the message but not the memory in it, it shows only that there is something to ask
    // for.
    if (change === null && this.#carrier?.connect() === true) this.#ask();
    if (!Array.isArray(change?.added)) return;
    if (((change.epoch - this.epoch) | 0) <= 0) {
      // Nothing new, but the owner's answer by the line; or the answer of one whose change was refused by the platform.
      if ((this.#isBehind && this.#hasAll) || this.#canPull !== this.#isPulling) this.#acknowledge();
    } else if (change.since === null || change.since === this.epoch) this.apply(change);
    else this.#ask();
  }

  /** Announces which epoch this thread knows. One that fell behind gets pages again when it knows the latest. */
  #acknowledge(isFirst = false): void {
    const canPull = this.#canPull;
    announceAreas(this.#seat, canPull ? AREAS_PULLED : this.epoch);
    if (!canPull || (canPull !== this.#isPulling && !isFirst)) ringOwner(this.#seat);
    this.#isPulling = canPull;
    if (!isFirst && !this.#isBehind) return;
    if (this.#hasAll) this.#setBehind(false);
    else if (isFirst) this.#ask();
    else if (canPull) announceAreas(this.#seat, AREAS_WANTED); // what is missing is posted by now, or is being posted
  }

  /**
   * Asks for all areas. No answer may come: a browser may bring a new thread's channel into being behind it, or the
   * port of a thread that the channel does not reach. Who cannot fetch at once asks again.
   */
  #ask(): void {
    this.#setBehind(true);
    announceAreas(this.#seat, AREAS_WANTED);
    ringOwner(this.#seat);
    this.#askLater();
  }

  /** Asks later for what is missing then, where nothing is pulled and there are timers. */
  #askLater(): void {
    if (this.#canPull || !hasTimers()) return;
    this.#stopAsking();
    this.#askTimer = startTimer(() => {
      if (this.#isBehind || !this.#hasAll) this.#ask();
    }, ASK_AGAIN_MS);
  }

  get #hasAll(): boolean {
    return areasEpoch(this.#seat.memory) === this.epoch;
  }

  #stopAsking(): void {
    if (this.#askTimer !== undefined) clearTimeout(this.#askTimer); // worklets have neither
  }

  #setBehind(isBehind: boolean): void {
    if (this.#isBehind === isBehind) return;
    this.#isBehind = isBehind;
    if (!isBehind) this.#stopAsking();
    this.#engineWhile?.(isBehind);
  }

  #add(area: SharedArea): void {
    const { firstPage, index, pages } = area;
    if (this.#known.has(index)) this.#remove(index);
    this.#known.set(index, area);
    this.#indexes.fill(index, firstPage, firstPage + pages);
    this.#shifts.fill(-pageOffset(this.#seat.geometry, firstPage), firstPage, firstPage + pages);
  }

  #remove(index: number): void {
    const area = this.#known.get(index);
    if (area === undefined) return;
    this.#known.delete(index);
    const end = area.firstPage + area.pages;
    this.#views.fill(undefined, area.firstPage, end);
    this.#shifts.fill(NO_AREA, area.firstPage, end);
    this.#indexes.fill(0, area.firstPage, end);
    this.#listener?.forget(area.firstPage, area.pages);
    if (area.buffer !== undefined) noteDropped(area.pages * this.#seat.geometry.pageBytes);
  }

  #viewAgain(call: string, page: number): Uint8Array {
    const index = this.#indexes[page] as number;
    const area = this.#known.get(index);
    if (area === undefined) {
      throw callError(
        'POOL_ERR_PROVIDER',
        call,
        `page=${page}`,
        'one of an area that this thread knows',
        'return to the event loop, where its memory arrives',
      );
    }
    if (area.buffer === undefined) {
      const rule = 'memory that the processor can see';
      throw callError('POOL_ERR_UNREADABLE', call, `page=${page}`, rule, FURTHER_REMEDIES.POOL_ERR_UNREADABLE);
    }
    const view = new Uint8Array(area.buffer, area.byteOffset, area.pages * this.#seat.geometry.pageBytes);
    this.#views.fill(view, area.firstPage, area.firstPage + area.pages);
    return view;
  }
}

/** The same, with a clear error where the platform refuses it. */
function carried<T>(rule: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw callError('POOL_ERR_PROVIDER', 'a pool with areas', reasonOf(cause), rule, undefined, { cause });
  }
}

function isSame(one: SharedArea | undefined, other: SharedArea): boolean {
  return (
    one !== undefined && one.buffer === other.buffer && one.firstPage === other.firstPage && one.pages === other.pages
  );
}

/** Whether a value that came with a share is a list of areas that fits the pool. */
function isAreasSnapshot(value: unknown, geometry: Geometry): value is AreasChange {
  const change = value as AreasChange | null;
  return (
    typeof change === 'object' &&
    change !== null &&
    Number.isInteger(change.epoch) &&
    change.epoch >= 0 &&
    change.epoch <= AREAS_EPOCH_MASK &&
    Array.isArray(change.added) &&
    change.added.every((area) => isArea(area, geometry.pageBytes, geometry.ownPages + 1, geometry.pageCount))
  );
}

function isArea(value: unknown, pageBytes: number, first: number, last: number): value is SharedArea {
  const area = value as SharedArea | null;
  if (typeof area !== 'object' || area === null) return false;
  const { buffer, byteOffset, firstPage, index, pages } = area;
  if (![byteOffset, firstPage, index, pages].every((each) => Number.isInteger(each) && each >= 0)) return false;
  if (index < 1 || pages < 1 || firstPage < first || firstPage + pages - 1 > last) return false;
  return buffer === undefined || (isSharedBuffer(buffer) && byteOffset + pages * pageBytes <= buffer.byteLength);
}

/** The areas of a pool that has none yet. */
export const NO_AREAS: AreasChange = { epoch: 0, since: null, added: [], removed: [] };

/** What follows areas in a thread that attaches. */
export interface AreasPart {
  /**
   * What opens the table of the thread that has the seat, beginning with what its share had.
   *
   * @throws PagePoolError POOL_ERR_CORRUPT when that is no list of areas that fits the pool
   */
  opener(first: unknown, geometry: Geometry): (seat: AreasSeat) => Areas;
}

/** What programs load where they do not create pools. */
export const areasPart: AreasPart = {
  opener: (first, geometry) => {
    if (isAreasSnapshot(first, geometry)) return (seat) => new Areas(seat, first);
    throw callError('POOL_ERR_CORRUPT', 'attach', `areas=${show(first)}`, 'the areas that the pool had');
  },
};
