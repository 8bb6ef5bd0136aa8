// Supply: the owner's side of a pool whose pages come from a provider. Calls it, carries out what it asks for, answers wants.
//
// The owner's thread only, on its calls that find no page, in its waits, in poll() and when another thread calls it
// (demand.ts). Pages that left circulation stand in the retired bits until it takes them; pages that a provider feeds are listed
// in the supply bits, where any port finds them (assembly/supply.ts), as soon as every thread can look at them. A callback is
// one step: it happens as a whole or not at all. While one runs, the pool's calls are refused (src/engine/guarded.ts).

import {
  AREAS_ANSWERED,
  AREAS_EPOCH_MASK,
  AREAS_WANTED,
  CLAIM_FREE,
  CLAIM_REAPING,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  COUNTER_FAST,
  COUNTER_FRAGMENTS,
  COUNTER_RECYCLED,
  COUNTER_REFILL,
  COUNTER_RELEASED_REFCNT,
  COUNTER_SLOW,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  HEADER_AREAS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_FREED_OFFSET,
  HEADER_OWNER_OFFSET,
  HEADER_REAPS_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_HELD,
  HOME_LEFT,
  HOME_RESERVE,
  HOME_RETIRED,
  HOME_RETURNED,
  HOME_STAMP_MASK,
  HOME_STATE_MASK,
  PIN_COUNT_MASK,
  PIN_LEFT,
  PORT_AREAS_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_WANT_OFFSET,
  RETIRED_INDEX_BITS,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
  STATE_ACTIVE,
} from '../../assembly/layout.js';
import { claimOf, seatWord } from '../control/claims.js';
import { press } from '../control/ending.js';
import { loadWord } from '../control/nodes.js';
import { descriptorAt, portOffset } from '../control/places.js';
import { announce, poolState } from '../control/state.js';
import { reentrantEngine, reentryError } from '../engine/guarded.js';
import { PagePoolError, REMEDIES, show } from '../errors.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import { startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';
import type { Port } from '../port/port.js';
import type { MemoryProvider } from '../provider/provider.js';
import type { Areas, AreasChange } from './areas.js';
import { Context, type ContextHost, emptyStep, type OwnedArea, type Step } from './context.js';

/** What a pool's statistics say of its provider. */
export interface SupplyReport {
  readonly areas: number;
  /** Ports that have not learned yet of an area whose pages wait for them. */
  readonly waitingFor: readonly number[];
  /** What the provider says of itself. */
  readonly description: Record<string, unknown>;
  readonly reserve: Record<string, unknown> | null;
  /** Why the provider's last callback failed; null when it did not. */
  readonly failure: string | null;
}

/** Pages that were fed and wait until every thread knows their area. */
interface Queued {
  readonly since: number;
  readonly pages: readonly number[];
}

/** What a port counts when it takes a page, and when it lets one go for good. */
const ACTIVITY = [
  COUNTER_FAST,
  COUNTER_SLOW,
  COUNTER_REFILL,
  COUNTER_FRAGMENTS,
  COUNTER_RECYCLED,
  COUNTER_RELEASED_REFCNT,
] as const;
const PINNED_LOOK_MS = 100;
const COLLECT_ROUNDS = 4;
let pools = 0;

/** The owner's side of one pool. */
export class Supply implements ContextHost {
  readonly isOut: Uint8Array;
  readonly indexes: Uint16Array;
  readonly areas = new Map<number, OwnedArea>();
  readonly pool: ContextHost['pool'];
  readonly isShared: boolean;
  step: Step | undefined;
  readonly #port: Port;
  readonly #table: Areas;
  /** Kept where the port's own is replaced at the pool's end. */
  #memory: Port['memory'];
  readonly #main: Context | undefined;
  readonly #reserve: Context | undefined;
  /** Pages on which the owner itself has a pin, so that they leave circulation. */
  readonly #recalled = new Set<number>();
  #queue: Queued[] = [];
  #isBusy = false;
  #isOver = false;
  #failure: string | null = null;
  #idleTimer: Timer | undefined;
  #activity = -1;
  #trims = 0;
  /** The provider's destruction, once it has begun. */
  #finished: Promise<void> | undefined;

  constructor(port: Port, table: Areas, main: MemoryProvider | undefined, reserve: MemoryProvider | undefined) {
    const { geometry, memory, name } = port;
    this.#port = port;
    this.#table = table;
    this.#memory = memory;
    this.isShared = memory.isShared;
    this.isOut = new Uint8Array(geometry.pageCount + 1);
    this.indexes = new Uint16Array(geometry.pageCount + 1);
    const { pageBytes, pageCount, unitBytes } = geometry;
    this.pool = { id: ++pools, name, pageBytes, pageCount, unitBytes };
    const mainPages = geometry.pageCount - geometry.reservePages;
    if (main !== undefined) this.#main = new Context(this, main, 1, mainPages, false);
    if (reserve !== undefined) this.#reserve = new Context(this, reserve, mainPages + 1, geometry.pageCount, true);
    // N4 no ordering needed: nobody has attached yet.
    Atomics.store(memory.i32, (CONTROL_BASE + HEADER_OWNER_OFFSET) >>> 2, seatWord(port));
  }

  get geometry(): Port['geometry'] {
    return this.#port.geometry;
  }

  // ---------------------------------------------------------------------------------- the pool's life

  /**
   * Lets the providers reserve what they need. A promise where one of them returns one.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER when one refuses; what was taken before is given back
   */
  start(call: string): void | Promise<void> {
    for (const [at, context] of this.#contexts().entries()) {
      const later = this.#init(call, context);
      if (later !== undefined) return this.#startLater(call, at, later);
    }
    this.#begin();
  }

  async #startLater(call: string, at: number, first: Promise<void>): Promise<void> {
    const contexts = this.#contexts();
    for (const [i, context] of contexts.entries()) {
      if (i < at) continue;
      try {
        await (i === at ? first : this.#init(call, context));
      } catch (cause) {
        throw cause instanceof PagePoolError && cause.code === 'POOL_ERR_PROVIDER'
          ? cause
          : providerError(call, 'init', context, cause);
      }
    }
    this.#begin();
  }

  /** Lets one provider reserve; a promise where it takes its time. */
  #init(call: string, context: Context): Promise<void> | undefined {
    return this.#callback(call, 'init', context, () => {
      const result = context.provider.init(context);
      return isPromise(result) ? Promise.resolve(result) : undefined;
    });
  }

  #begin(): void {
    this.#watch();
    this.#idle();
  }

  /** The owner leaves a pool that lives on: its pages still circulate, none is added. */
  uninstall(): void {
    if (this.#isOver) return;
    this.#stop();
    for (const context of this.#contexts()) {
      quietly(() => context.provider.uninstall?.(context));
      context.end();
    }
  }

  /** Every page is home. Gives the providers back what they fed and ends them, as soon as nothing is pinned. */
  finish(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#finished = this.#end();
    // Somebody may await it; where nobody does, the program goes on.
    this.#finished.catch((error) => this.#warn(error));
  }

  /** Resolves when the providers have ended; at once when that waits for pins. */
  async finished(): Promise<void> {
    if (this.#hasPins()) return;
    await this.#finished;
  }

  async #end(): Promise<void> {
    let first: unknown;
    this.#returnAll();
    while (this.#hasPins()) {
      await new Promise<void>((resolve) => startTimer(resolve, PINNED_LOOK_MS));
      this.#returnAll();
    }
    // All before the first is told: while one takes its time another could feed what nobody would give back.
    for (const context of this.#contexts()) context.end();
    for (const context of this.#contexts()) {
      try {
        await context.provider.destroy(context);
      } catch (cause) {
        first ??= providerError('close', 'destroy', context, cause);
      }
    }
    this.areas.clear();
    this.#memory = this.#port.memory; // the copy that is left of it
    if (first !== undefined) throw first;
  }

  /** A provider's callback must not call the pool; calls of the engine are refused by the one that stands in for it. */
  refuseReentry(call: string): void {
    if (this.step !== undefined) throw reentryError(call, 'callback');
  }

  #stop(): void {
    this.#isOver = true;
    // N24 no ordering needed: lets go of this thread's own wait.
    Atomics.notify(this.#memory.i32, (CONTROL_BASE + HEADER_DEMAND_OFFSET) >>> 2);
    if (this.#idleTimer !== undefined) clearTimeout(this.#idleTimer);
  }

  #contexts(): Context[] {
    return [this.#main, this.#reserve].filter((context) => context !== undefined);
  }

  // ---------------------------------------------------------------------------------- serving

  /**
   * Does whatever is due: takes retired pages, lists fed ones, asks for wanted ones. True: there may be pages now.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER when a provider fails
   */
  serve(call: string): boolean {
    if (this.#isBusy || this.#isOver) return false;
    this.#answerAsking();
    this.#collect(call);
    const waiting = this.#queue.length;
    this.#list();
    const hasListed = this.#queue.length < waiting;
    const wanted = this.#takeWants();
    // While pages wait for threads to know their area, and when they have just been listed, nothing more is asked for.
    const isServed = hasListed || this.#queue.length > 0;
    if (wanted > 0 && !isServed && poolState(this.#memory) === STATE_ACTIVE) this.#grow(call, wanted);
    return wanted > 0 && (hasListed || this.#queue.length === 0);
  }

  /** The same where nobody catches: the failure stands in the statistics. */
  serveQuietly(): void {
    try {
      this.serve('the pool');
    } catch (error) {
      this.#warn(error);
    }
  }

  /** Hands the pages that left circulation to their providers, and those that were fed and not taken. */
  trim(call: string): void {
    if (this.#isBusy || this.#isOver) return;
    for (const area of this.areas.values()) this.#withdraw(area);
    this.#collect(call);
    this.#list();
  }

  /**
   * @throws PagePoolError POOL_ERR_PROVIDER when a provider cannot describe itself
   */
  report(): SupplyReport {
    const failure = this.#failure;
    const report = {
      areas: this.areas.size,
      waitingFor: this.#queue.length === 0 ? [] : this.#unaware((this.#queue.at(-1) as Queued).since),
      description: this.#describe(this.#main) ?? {},
      reserve: this.#describe(this.#reserve) ?? null,
      failure,
    };
    this.#failure = failure; // of what it did, and not of what it says
    return report;
  }

  #describe(context: Context | undefined): Record<string, unknown> | undefined {
    if (context === undefined) return undefined;
    return this.#callback('stats', 'describe', context, () => {
      const description: unknown = context.provider.describe();
      if (typeof description === 'object' && description !== null) return description as Record<string, unknown>;
      throw new TypeError(`description=${show(description)} (expected an object of plain values)`);
    });
  }

  /** Serves whenever another thread calls. */
  #watch(): void {
    if (!this.isShared || !hasWaitAsync()) return;
    const { i32 } = this.#memory;
    const index = (CONTROL_BASE + HEADER_DEMAND_OFFSET) >>> 2;
    const look = (): void => {
      if (this.#isOver) return;
      // A1 pairs with R1 in src/control/owner.ts ringOwner: a call after this ends the wait.
      const sequence = Atomics.load(i32, index);
      this.serveQuietly();
      const { async, value } = Atomics.waitAsync(i32, index, sequence);
      void (async ? value : Promise.resolve()).then(look);
    };
    look();
  }

  /** What all ports want together. */
  #takeWants(): number {
    const { geometry } = this.#port;
    let wanted = 0;
    for (let id = 0; id < geometry.maxPorts; id++) {
      const index = (portOffset(geometry, id) + PORT_WANT_OFFSET) >>> 2;
      // N5 no ordering needed: a look, so that a quiet port costs no exchange.
      if (Atomics.load(this.#memory.i32, index) === 0) continue;
      // X3 pairs with X5 in src/control/owner.ts leaveWant: a want that comes after this is taken next time.
      wanted += Atomics.exchange(this.#memory.i32, index, 0);
    }
    return wanted;
  }

  /** Asks the provider, and the reserve where the provider feeds nothing, for whichever reason. */
  #grow(call: string, wanted: number): void {
    const told = this.#failure;
    let first: unknown;
    for (const context of this.#contexts()) {
      const out = this.#queue.length;
      const count = Math.min(wanted, context.pool.pageCount);
      let isFed = false;
      try {
        this.#callback(call, 'grow', context, () => {
          context.provider.grow(context, count);
          isFed = (this.step as Step).fed.length > 0;
        });
      } catch (error) {
        first ??= error;
        continue;
      }
      if (!isFed && this.#queue.length === out) continue;
      if (first === undefined) return;
      // The caller has its pages, so this is said as where nobody called: once, and in the statistics.
      this.#failure = told;
      this.#warn(first);
      return;
    }
    if (first !== undefined) throw first;
  }

  /** One callback of a provider: what it asks for happens when it returns, and not at all when it throws. */
  #callback<T>(call: string, name: string, context: Context, run: () => T): T {
    const { engine } = this.#port;
    const step = emptyStep();
    let result: T;
    this.#isBusy = true;
    this.step = step;
    this.#port.useEngine?.(reentrantEngine(engine.kind, name));
    try {
      try {
        result = run();
      } finally {
        this.step = undefined;
        this.#port.useEngine?.(engine);
      }
      this.commit(step);
    } catch (cause) {
      Context.withdraw(this, step);
      throw providerError(call, name, context, cause);
    } finally {
      this.#isBusy = false;
    }
    this.#failure = null;
    return result;
  }

  // ---------------------------------------------------------------------------------- carrying out

  commit(step: Step): void {
    const gone = step.retired.filter(({ out }) => out === 0);
    const added = step.added.filter((area) => !gone.includes(area));
    // What comes and goes in one step is nobody else's business.
    for (const area of gone) if (step.added.includes(area)) this.#forget(area);
    this.#change(
      added,
      gone.filter((area) => !step.added.includes(area)),
    );
    for (const { index, since } of this.#byArea(step.fed)) {
      const pages = step.fed.filter((page) => this.indexes[page] === index);
      this.#queue.push({ since, pages });
    }
    const recalled = step.retired.filter(({ out }) => out !== 0);
    for (const area of recalled) this.#recall(area);
    for (const area of step.kept) this.unpinRecalled(area);
    this.#list();
    // Asked for outside of a callback: what came home already is given back soon.
    if (recalled.length > 0 && !this.#isBusy) void Promise.resolve().then(() => this.serveQuietly());
  }

  #byArea(pages: readonly number[]): OwnedArea[] {
    const indexes = new Set(pages.map((page) => this.indexes[page] as number));
    return [...indexes].map((index) => this.areas.get(index) as OwnedArea);
  }

  /** Tells every thread of new areas and of those that are gone. */
  #change(added: readonly OwnedArea[], removed: readonly OwnedArea[]): void {
    if (added.length === 0 && removed.length === 0) return;
    const since = this.#table.epoch;
    const epoch = (since + 1) & AREAS_EPOCH_MASK;
    const shared = added.map(({ index, firstPage, pages, buffer, byteOffset }) => ({
      index,
      firstPage,
      pages,
      buffer,
      byteOffset,
    }));
    const change: AreasChange = { epoch, since, added: shared, removed: removed.map(({ index }) => index) };
    this.#table.post(change);
    for (const area of removed) this.#forget(area);
    for (const area of added) area.since = epoch;
    // R1 pairs with A7 in src/control/owner.ts areasEpoch: posted before, so whoever sees the epoch can fetch the change.
    Atomics.store(this.#memory.i32, (CONTROL_BASE + HEADER_AREAS_OFFSET) >>> 2, epoch);
    this.#table.apply(change);
    announce(this.#memory);
  }

  #forget({ index, firstPage, pages }: OwnedArea): void {
    this.areas.delete(index);
    this.indexes.fill(0, firstPage, firstPage + pages);
  }

  /** Lists what was fed of areas that every thread knows by now. */
  #list(): void {
    if (this.#queue.length === 0) return;
    const waiting = this.#queue.filter(({ pages, since }) => {
      if (this.#unaware(since).length !== 0) return true;
      this.#publish(pages);
      return false;
    });
    this.#queue = waiting;
  }

  /** Ports whose threads would look up a page of an area of that epoch in vain. */
  #unaware(since: number): number[] {
    const { geometry, id: own } = this.#port;
    const unaware: number[] = [];
    for (let id = 0; id < geometry.maxPorts; id++) {
      const state = claimOf(this.#memory, geometry, id) & CLAIM_STATE_MASK;
      if (id === own || state === CLAIM_FREE || state === CLAIM_REAPING) continue;
      // A2 pairs with R6 in src/control/owner.ts sayAreas: the port's table is as the word says.
      const known = Atomics.load(this.#memory.i32, (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2) >>> 0;
      // A thread that pulls looks by itself, and one that asks for the areas gets no page before it has them.
      if (known >= AREAS_ANSWERED) continue;
      if ((known - since) << 1 < 0) unaware.push(id);
    }
    return unaware;
  }

  /** Sends all areas to threads that missed a change. */
  #answerAsking(): void {
    const { geometry } = this.#port;
    const { i32 } = this.#memory;
    const asking: number[] = [];
    for (let id = 0; id < geometry.maxPorts; id++) {
      const index = (portOffset(geometry, id) + PORT_AREAS_OFFSET) >>> 2;
      // N6 no ordering needed: whoever asks again is answered again.
      const said = Atomics.compareExchange(i32, index, AREAS_WANTED | 0, AREAS_ANSWERED | 0);
      if (said >>> 0 === AREAS_WANTED) asking.push(index);
    }
    if (asking.length === 0) return;
    try {
      this.#table.post(this.#table.snapshot());
    } catch (error) {
      // N23 no ordering needed: the next look answers; a thread that has learned of all by another message stays as it is.
      for (const index of asking) Atomics.compareExchange(i32, index, AREAS_ANSWERED | 0, AREAS_WANTED | 0);
      throw error;
    }
    announce(this.#memory);
  }

  #home(page: number): number {
    return (descriptorAt(this.#port.geometry, page) + DESCRIPTOR_HOME_OFFSET) >>> 2;
  }

  #setHome(page: number, flagsAndState: number): void {
    const { i32 } = this.#memory;
    const index = this.#home(page);
    // Plain: the page is the owner's alone until its bit is set.
    const stamp = (i32[index] as number) & HOME_STAMP_MASK;
    // N7 no ordering of its own: likewise.
    Atomics.store(i32, index, stamp | flagsAndState);
  }

  /** Lets any port take the pages. */
  #publish(pages: readonly number[]): void {
    const { engine, geometry } = this.#port;
    const { i32 } = this.#memory;
    for (const page of pages) {
      const { context } = this.areas.get(this.indexes[page] as number) as OwnedArea;
      this.#setHome(page, HOME_FRESH | (context.isReserve ? HOME_RESERVE : 0));
      const word = (geometry.supplyBitsOffset + 4 * (page >>> RETIRED_WORD_SHIFT)) >>> 2;
      // X8 pairs with X7 in assembly/supply.ts claim: the page's state is visible to whoever clears the bit.
      Atomics.or(i32, word, 1 << (page & 31));
    }
    const first = pages.reduce((least, page) => Math.min(least, page));
    this.#lowerHint(geometry.supplyHintOffset, first >>> RETIRED_WORD_SHIFT);
    engine.wake(CONTROL_BASE + HEADER_FREED_OFFSET);
  }

  #lowerHint(offset: number, index: number): void {
    const { i32 } = this.#memory;
    const hint = offset >>> 2;
    for (;;) {
      // N9 no ordering needed: the exchange decides.
      const seen = Atomics.load(i32, hint);
      const at = Math.min(index, seen & RETIRED_INDEX_MASK);
      const next = (((seen >>> RETIRED_INDEX_BITS) + 1) << RETIRED_INDEX_BITS) | at;
      // X10 pairs with X13 in assembly/supply.ts takeListed, and in takeRetired: whoever looked before us does not move the hint past our bits.
      if (Atomics.compareExchange(i32, hint, seen, next) === seen) return;
    }
  }

  // ---------------------------------------------------------------------------------- pages that come home

  /** Gives every retired page to its provider, and lets go of retiring areas whose last page that was. */
  #collect(call: string): void {
    // Once more where the provider retires an area of which pages are listed; the rest comes home by and by.
    for (let round = 0; round < COLLECT_ROUNDS; round++) {
      for (const area of this.areas.values()) if (area.isRetiring) this.#recall(area);
      const pages = this.#takeRetired();
      if (pages.length === 0) break;
      this.#giveBack(call, pages);
    }
    const gone = [...this.areas.values()].filter(({ isRetiring, out }) => isRetiring && out === 0);
    this.#change([], gone);
  }

  #giveBack(call: string, pages: readonly number[]): void {
    for (const page of pages) {
      this.isOut[page] = 0;
      (this.areas.get(this.indexes[page] as number) as OwnedArea).out -= 1;
    }
    let first: unknown;
    for (const context of this.#contexts()) {
      const own = pages.filter((page) => page >= context.firstPage && page <= context.lastPage);
      if (own.length === 0) continue;
      try {
        this.#callback(call, 'retire', context, () => context.provider.retire(context, Uint32Array.from(own)));
      } catch (error) {
        first ??= error; // they are its pages all the same
      }
    }
    if (first !== undefined) throw first;
  }

  /** Takes the pages that left circulation out of the retired bits: they are with their providers from here on. */
  #takeRetired(): number[] {
    const { geometry } = this.#port;
    if (geometry.ownPages !== 0) return this.#takeRetiredReserve();
    const { i32 } = this.#memory;
    const hint = (CONTROL_BASE + HEADER_RETIRED_OFFSET) >>> 2;
    // A11 pairs with X8 in assembly/supply.ts list: bits set before the hint was moved down are seen.
    const seen = Atomics.load(i32, hint);
    const end = (geometry.pageCount >>> RETIRED_WORD_SHIFT) + 1;
    const pages: number[] = [];
    for (let index = seen & RETIRED_INDEX_MASK; index < end; index++) {
      const word = (geometry.retiredBitsOffset + 4 * index) >>> 2;
      // N12 no ordering needed: a look, so that empty words cost no exchange.
      if (Atomics.load(i32, word) === 0) continue;
      // X14 pairs with X9 in assembly/supply.ts list: a page's state is visible with its bit.
      for (let bits = Atomics.exchange(i32, word, 0); bits !== 0; bits &= bits - 1) {
        const page = index * 32 + 31 - Math.clz32(bits & -bits);
        if (this.#takeBack(page)) pages.push(page);
      }
    }
    // X13 pairs with X8 in assembly/supply.ts list: a page retired meanwhile has moved the hint, and it stays.
    Atomics.compareExchange(i32, hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | end);
    return pages;
  }

  /** Where the bits are those of the pool's own pages: the reserve's few are looked at one by one. */
  #takeRetiredReserve(): number[] {
    const { geometry } = this.#port;
    const pages: number[] = [];
    for (let page = geometry.ownPages + 1; page <= geometry.pageCount; page++)
      if (this.#takeBack(page)) pages.push(page);
    return pages;
  }

  #takeBack(page: number): boolean {
    // A15 pairs with X4 in assembly/supply.ts retire: the page's last user is done with it.
    if ((Atomics.load(this.#memory.i32, this.#home(page)) & HOME_STATE_MASK) !== HOME_RETIRED) return false;
    this.#setHome(page, HOME_RETURNED);
    this.#setPins(page, 0);
    this.#recalled.delete(page);
    return true;
  }

  #setPins(page: number, word: number): void {
    // N16 no ordering needed: the page is with its provider, and nobody has a pin on it.
    Atomics.store(this.#memory.i32, this.#pins(page), word);
  }

  #pins(page: number): number {
    return (descriptorAt(this.#port.geometry, page) + DESCRIPTOR_PINS_OFFSET) >>> 2;
  }

  /**
   * Makes the pages of a retiring area leave circulation: those that are listed now, those in use with their last release. A pin
   * of the owner does that, beside those of others or alone, and refills waive pinned pages that they find in the ring.
   */
  #recall(area: OwnedArea): void {
    const { i32 } = this.#memory;
    this.#withdraw(area);
    for (let page = area.firstPage; page < area.firstPage + area.pages; page++) {
      if (this.isOut[page] === 0) continue;
      // N17 no ordering needed: a page that moves on meanwhile is found next time.
      const state = Atomics.load(i32, this.#home(page)) & HOME_STATE_MASK;
      if (state === HOME_HELD) {
        // X19 pairs with X4 in assembly/pin.ts leave: the last release sees the pin, or the page is home and waived.
        if (Atomics.compareExchange(i32, this.#pins(page), 0, 1) === 0) this.#recalled.add(page);
      } else if (state === HOME_LEFT) this.#unpin(page);
    }
  }

  /** Undoes the owner's pin on a page that left, where it has one: the others' pins keep the page away. */
  #unpin(page: number): void {
    // A20 pairs with X4 in assembly/pin.ts leave: the page has left, and is not about to.
    const hasLeft = (Atomics.load(this.#memory.i32, this.#pins(page)) & PIN_LEFT) !== 0;
    if (hasLeft && this.#recalled.delete(page)) this.#port.engine.unpin(page);
  }

  /**
   * Takes the owner's pins off: those of an area that is kept after all, or of all, since the owner leaves or the pool is destroyed
   * and nobody would do it later. Pages circulate on, and those that had left for the owner's sake alone come home. While the
   * thread has its port.
   */
  unpinRecalled(area?: OwnedArea): void {
    for (const page of this.#recalled) {
      if (area !== undefined && this.indexes[page] !== area.index) continue;
      this.#recalled.delete(page);
      this.#port.engine.unpin(page);
    }
  }

  /** Pages on which nobody but the owner has a pin. */
  ownPins(): number {
    return [...this.#recalled].filter((page) => (loadWord(this.#memory, this.#pins(page) << 2) & PIN_COUNT_MASK) === 1)
      .length;
  }

  /** Takes an area's pages back that were fed and that nobody took yet. */
  #withdraw(area: OwnedArea): void {
    const { i32 } = this.#memory;
    this.#queue = this.#queue.map(({ pages, since }) => ({
      since,
      pages: pages.filter((page) => this.indexes[page] !== area.index || !this.#hide(page, area)),
    }));
    this.#queue = this.#queue.filter(({ pages }) => pages.length > 0);
    for (let page = area.firstPage; page < area.firstPage + area.pages; page++) {
      if (this.isOut[page] === 0) continue;
      // N25 no ordering needed: the exchange decides.
      const home = Atomics.load(i32, this.#home(page));
      if ((home & HOME_STATE_MASK) !== HOME_FRESH) continue;
      const next = (home & (HOME_STAMP_MASK | HOME_RESERVE)) | HOME_RETIRED;
      // X18 pairs with X2 in assembly/supply.ts claim: a port takes the page, or the owner takes it back.
      if (Atomics.compareExchange(i32, this.#home(page), home, next) === home) this.#relist(page);
    }
  }

  /** A page that was fed and not listed yet is taken as one that came home. */
  #hide(page: number, { context }: OwnedArea): boolean {
    this.#setHome(page, HOME_RETIRED | (context.isReserve ? HOME_RESERVE : 0));
    this.#relist(page);
    return true;
  }

  /** Sets a page's retired bit, as assembly/supply.ts list. The owner looks from the start the next time. */
  #relist(page: number): void {
    const { geometry } = this.#port;
    if (geometry.ownPages !== 0) return; // found by its state, see takeRetiredReserve
    // X22 pairs with X14 in takeRetired: this thread's own.
    Atomics.or(
      this.#memory.i32,
      (geometry.retiredBitsOffset + 4 * (page >>> RETIRED_WORD_SHIFT)) >>> 2,
      1 << (page & 31),
    );
    this.#lowerHint(CONTROL_BASE + HEADER_RETIRED_OFFSET, page >>> RETIRED_WORD_SHIFT);
  }

  /** The pool is destroyed: listed pages, and those waiting to be, come back as well. */
  #returnAll(): void {
    const pages: number[] = [];
    for (let page = 1; page <= this.#port.geometry.pageCount; page++) {
      if (this.isOut[page] === 0) continue;
      const state = loadWord(this.#memory, this.#home(page) << 2) & HOME_STATE_MASK;
      if (state === HOME_LEFT) continue;
      this.#setHome(page, HOME_RETURNED);
      pages.push(page);
    }
    this.#queue = [];
    try {
      if (pages.length > 0) this.#giveBack('close', pages);
    } catch (error) {
      this.#warn(error);
    }
  }

  #hasPins(): boolean {
    return this.isOut.includes(1);
  }

  // ---------------------------------------------------------------------------------- idling

  /** Where the provider asks for it: what circulates and is used by nobody goes back to it. */
  #idle(): void {
    const idleMs = this.#main?.provider.idleMs;
    if (idleMs === undefined || this.#isOver || typeof setTimeout !== 'function') return;
    this.#idleTimer = startTimer(() => {
      if (this.#isOver) return;
      this.#trimIdle();
      this.#idle();
    }, idleMs);
  }

  #trimIdle(): void {
    const activity = this.#countActivity();
    this.#trims = activity === this.#activity ? this.#trims + 1 : 0;
    this.#activity = activity;
    if (this.#trims < 1 || poolState(this.#memory) !== STATE_ACTIVE) return;
    // The first look asks idle threads for their caches, the second takes what they handed back. Then it is quiet, but for what a
    // busy thread hands back by and by, and for pages whose last pin is undone: nothing counts those.
    const isAsking = this.#trims <= 2;
    try {
      if (isAsking) press(this.#port);
      if (isAsking) announce(this.#memory);
      this.#port.engine.trim();
      if (isAsking) this.trim('the pool');
      else this.#collect('the pool');
    } catch (error) {
      this.#warn(error);
    }
  }

  /** Allocations and last releases of all ports, ever, and deaths: what the dead held is released. */
  #countActivity(): number {
    const { geometry } = this.#port;
    let sum = loadWord(this.#memory, CONTROL_BASE + HEADER_REAPS_OFFSET);
    for (let id = 0; id < geometry.maxPorts; id++) {
      const counters = (portOffset(geometry, id) + PORT_COUNTERS_OFFSET) >>> 3;
      for (const counter of ACTIVITY) {
        sum += this.#memory.f64[counters + (counter >>> 3)] as number; // plain: reports only, as in stats.ts
      }
    }
    return sum;
  }

  #warn(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    // Threads may ask again and again of a provider that has come to its end.
    if (text === this.#failure) return;
    this.#failure = text;
    globalThis.console?.warn(`pagepool ${JSON.stringify(this.pool.name)}: ${this.#failure}`);
  }
}

function isPromise(value: unknown): value is Promise<void> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // The provider is out of the pool either way, and there is nobody to tell.
  }
}

/** The error where init() takes its time and the caller cannot wait. */
export function laterError(call: string): PagePoolError {
  return new PagePoolError(
    'POOL_ERR_PROVIDER',
    `${call} failed: the provider's init() returned a promise (expected it to be done at once); use create()`,
  );
}

/** The error of a callback that failed. */
function providerError(call: string, name: string, { provider }: Context, cause: unknown): PagePoolError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PagePoolError(
    'POOL_ERR_PROVIDER',
    `${call} failed: provider=${show(provider.kind)} threw in ${name}() (expected it to succeed): ${reason}; ${REMEDIES.POOL_ERR_PROVIDER}`,
    { cause },
  );
}
