// Supply: the owner's side of a pool whose pages come from a provider. Calls it, carries out what it asks for, answers
// wants.
//
// The owner's thread only, on its calls that find no page, in its waits, in poll() and when another thread calls it
// (src/control/owner.ts). What it does with shared words is in owner-words.ts. Pages that a provider feeds are listed
// as soon as every thread can read them. A callback is one step: it happens as a whole or not at all. While one
// runs, the pool's calls are refused (callbacks.ts).

import { AREAS_EPOCH_MASK, STATE_ACTIVE } from '../../assembly/layout.js';
import type { Seat } from '../control/claims.js';
import type { PoolMemory } from '../control/memory.js';
import { announce, poolState } from '../control/state.js';
import { reentryError } from '../engine/guarded.js';
import { PagePoolError, reasonOf, show } from '../errors.js';
import { publish as tell, warn } from '../platform/console.js';
import { startTimer } from '../platform/timers.js';
import type { MemoryProvider } from '../provider/provider.js';
import type { Areas, AreasChange } from './areas.js';
import { guarded, isPromise, laterError, providerError, quietly, type SupplySeat } from './callbacks.js';
import { Context, type ContextHost, emptyStep, type OwnedArea, type Step } from './context.js';
import { IdleWatch } from './idle.js';
import {
  askAgain,
  demandCount,
  hide,
  lacking,
  type OwnerSeat,
  publish,
  setAreasEpoch,
  takeAsking,
  takeAtEnd,
  takeOffice,
  takeRetired,
  takeWants,
  unaware,
  withdraw,
} from './owner-words.js';
import { Recall } from './recall.js';

/** What a pool's statistics have of its provider. */
export interface SupplyReport {
  readonly areas: number;
  /** Ports that have not learned of an area yet: its pages wait for them, or they get none themselves. */
  readonly waitingFor: readonly number[];
  /** What the provider reports of itself. */
  readonly description: Record<string, unknown>;
  readonly reserve: Record<string, unknown> | null;
  /** Why the provider's last callback failed; null when it did not. */
  readonly failure: string | null;
}

/** Pages of one area that were fed and wait until every thread knows their area. */
interface Queued {
  readonly since: number;
  readonly pages: readonly number[];
}

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
  readonly #port: SupplySeat;
  readonly #table: Areas;
  /**
   * The port, but with the pool's memory until the providers have ended: the port's own is replaced at the pool's end.
   */
  readonly #owner: OwnerSeat & { memory: PoolMemory };
  /** Pages that are called home. */
  readonly recall: Recall;
  readonly #main: Context | undefined;
  readonly #reserve: Context | undefined;
  #queue: Queued[] = [];
  #isBusy = false;
  #isOver = false;
  #failure: string | null = null;
  #idle: IdleWatch | undefined;
  /** Calls of other threads that were heeded. */
  #calls = 0;
  /** The provider's destruction, once it has begun. */
  #finished: Promise<void> | undefined;

  constructor(port: SupplySeat, table: Areas, main: MemoryProvider | undefined, reserve: MemoryProvider | undefined) {
    const { claim, geometry, id, memory, name } = port;
    this.#port = port;
    this.#table = table;
    this.#owner = {
      id,
      claim,
      memory,
      geometry,
      get engine() {
        return port.engine;
      },
    };
    this.recall = new Recall(this.#owner);
    this.isShared = memory.isShared;
    this.isOut = new Uint8Array(geometry.pageCount + 1);
    this.indexes = new Uint16Array(geometry.pageCount + 1);
    const { pageBytes, pageCount, unitBytes } = geometry;
    this.pool = { id: ++pools, name, pageBytes, pageCount, unitBytes };
    const mainPages = geometry.pageCount - geometry.reservePages;
    if (main !== undefined) this.#main = new Context(this, main, 1, mainPages, false);
    if (reserve !== undefined) this.#reserve = new Context(this, reserve, mainPages + 1, geometry.pageCount, true);
    takeOffice(this.#owner);
  }

  get geometry(): Seat['geometry'] {
    return this.#port.geometry;
  }

  // ---------------------------------------------------------------------------------- the pool's life

  /**
   * Lets the providers reserve what they need. A promise where one of them returns one.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER when one refuses; what was taken before is returned
   */
  start(call: string): void | Promise<void> {
    for (const [at, context] of this.#contexts().entries()) {
      const later = this.#init(call, context);
      if (later !== undefined) return this.#startLater(call, at, later);
    }
    this.#begin();
  }

  /**
   * The same, of providers that are ready at once.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER also when one takes its time
   */
  startAtOnce(call: string): undefined {
    const later = this.start(call);
    if (later === undefined) return;
    later.catch(() => {}); // whatever it ends with, the pool is refused now
    throw laterError(call);
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
    this.serveQuietly();
    const idleMs = this.#main?.provider.idleMs;
    if (idleMs === undefined || this.#isOver) return;
    this.#idle = new IdleWatch(this.#owner, idleMs, (isFirst) => this.#trimIdle(isFirst));
    this.#idle.start();
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
    // All before the first is notified: while one takes its time another could feed what nobody would return.
    for (const context of this.#contexts()) context.end();
    for (const context of this.#contexts()) {
      try {
        await context.provider.destroy(context);
      } catch (cause) {
        first ??= providerError('close', 'destroy', context, cause);
      }
    }
    this.areas.clear();
    this.#owner.memory = this.#port.memory; // the copy that is left of it
    if (first !== undefined) throw first;
  }

  /** A provider's callback must not call the pool; calls of the engine are refused by the one that stands in for it. */
  refuseReentry(call: string): void {
    if (this.step !== undefined) throw reentryError(call, 'callback');
  }

  #stop(): void {
    this.#isOver = true;
    this.#idle?.stop();
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
    // Wants first: what was home when it was wanted is with its provider by the time that it is asked for.
    const wanted = takeWants(this.#owner);
    this.#collect(call);
    const waiting = this.#queue.length;
    this.#list();
    const hasListed = this.#queue.length < waiting;
    // While pages wait for threads to know their area, and when they have just been listed, nothing more is asked for.
    const isServed = hasListed || this.#queue.length > 0;
    if (wanted > 0 && !isServed && poolState(this.#owner.memory) === STATE_ACTIVE) this.#grow(call, wanted);
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

  /** Retires the pages that left circulation to their providers, and those that were fed and not taken. */
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
      waitingFor: this.waitingFor(),
      description: this.#describe(this.#main) ?? {},
      reserve: this.#describe(this.#reserve) ?? null,
      failure,
    };
    this.#failure = failure; // of what it did, and not of what it reports
    return report;
  }

  /** As the report has it. */
  waitingFor(): number[] {
    const since = this.#queue.at(-1)?.since;
    return [...(since === undefined ? [] : unaware(this.#owner, since)), ...lacking(this.#owner)];
  }

  #describe(context: Context | undefined): Record<string, unknown> | undefined {
    if (context === undefined) return undefined;
    return this.#callback('stats', 'describe', context, () => {
      const description: unknown = context.provider.describe();
      if (typeof description === 'object' && description !== null) return description as Record<string, unknown>;
      throw new TypeError(`description=${show(description)} (expected an object of plain values)`);
    });
  }

  /** The thread's bell was raised: serves if somebody called. */
  heed(): void {
    const calls = demandCount(this.#owner);
    if (calls === this.#calls) return;
    this.#calls = calls;
    this.serveQuietly();
  }

  /** Asks the provider, and the reserve where the provider feeds nothing, for whichever reason. */
  #grow(call: string, wanted: number): void {
    const reported = this.#failure;
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
      const { kind } = context.provider;
      tell('pagepool:grow', { pool: this.pool.name, text: `provider "${kind}" was asked for ${count} pages` });
      if (first === undefined) return;
      // The caller has its pages, so this is reported as where nobody called: once, and in the statistics.
      this.#failure = reported;
      this.#warn(first);
      return;
    }
    if (first !== undefined) throw first;
  }

  /** One callback of a provider: what it asks for happens when it returns, and not at all when it throws. */
  #callback<T>(call: string, name: string, context: Context, run: () => T): T {
    const step = emptyStep();
    let result: T;
    this.#isBusy = true;
    this.step = step;
    try {
      try {
        result = guarded(this.#port, name, run);
      } finally {
        this.step = undefined;
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
    for (const area of recalled) this.#callHome(area);
    for (const area of step.kept) this.recall.stop(area);
    this.#list();
    // Asked for outside of a callback: what came home already is retired soon.
    if (recalled.length > 0 && !this.#isBusy) void Promise.resolve().then(() => this.serveQuietly());
  }

  #byArea(pages: readonly number[]): OwnedArea[] {
    const indexes = new Set(pages.map((page) => this.indexes[page] as number));
    return [...indexes].map((index) => this.areas.get(index) as OwnedArea);
  }

  /** Announces new areas, and those that are gone, to every thread. */
  #change(added: readonly OwnedArea[], removed: readonly OwnedArea[]): void {
    if (added.length + removed.length === 0) return;
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
    // First: a thread that opens its channel behind the post, and misses the change, compares with this epoch.
    setAreasEpoch(this.#owner, epoch);
    try {
      this.#table.post(change);
    } catch (error) {
      setAreasEpoch(this.#owner, since);
      throw error;
    }
    for (const area of removed) this.#forget(area);
    for (const area of added) area.since = epoch;
    this.#table.apply(change);
    announce(this.#owner.memory);
  }

  #forget({ index, firstPage, pages }: OwnedArea): void {
    this.areas.delete(index);
    this.indexes.fill(0, firstPage, firstPage + pages);
  }

  /** Lists what was fed of areas that every thread knows by now. */
  #list(): void {
    if (this.#queue.length === 0) return;
    const waiting = this.#queue.filter(({ pages, since }) => {
      if (unaware(this.#owner, since).length !== 0) return true;
      publish(this.#owner, pages, this.#isReserve(pages[0] as number));
      return false;
    });
    this.#queue = waiting;
  }

  #isReserve(page: number): boolean {
    return (this.areas.get(this.indexes[page] as number) as OwnedArea).context.isReserve;
  }

  /** Sends all areas to threads that missed a change. */
  #answerAsking(): void {
    const asking = takeAsking(this.#owner);
    if (asking.length === 0) return;
    try {
      this.#table.post(this.#table.snapshot());
    } catch (error) {
      askAgain(this.#owner, asking);
      throw error;
    }
    announce(this.#owner.memory);
  }

  // ---------------------------------------------------------------------------------- pages that come home

  /** Gives every retired page to its provider, and lets go of retiring areas whose last page that was. */
  #collect(call: string): void {
    // Once more where the provider retires an area of which pages are listed; the rest comes home by and by.
    for (let round = 0; round < COLLECT_ROUNDS; round++) {
      for (const area of this.areas.values()) if (area.isRetiring) this.#callHome(area);
      const pages = takeRetired(this.#owner);
      this.recall.done(pages);
      if (pages.length === 0) break;
      this.#retire(call, pages);
    }
    const gone = [...this.areas.values()].filter(({ isRetiring, out }) => isRetiring && out === 0);
    this.#change([], gone);
  }

  #retire(call: string, pages: readonly number[]): void {
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

  /**
   * Makes the pages of a retiring area leave circulation: those that are listed now, those in use with their last
   * release.
   */
  #callHome(area: OwnedArea): void {
    this.#withdraw(area);
    this.recall.start(area, this.isOut);
  }

  /** Takes an area's pages back that were fed and that nobody took yet. */
  #withdraw(area: OwnedArea): void {
    const { context, firstPage, index, pages: count } = area;
    // Those that were fed and not listed yet are taken as ones that came home.
    for (const { pages } of this.#queue)
      for (const page of pages) if (this.indexes[page] === index) hide(this.#owner, page, context.isReserve);
    this.#queue = this.#queue.filter(({ pages }) => this.indexes[pages[0] as number] !== index);
    withdraw(this.#owner, firstPage, count, this.isOut);
  }

  /** The pool is destroyed: listed pages, and those waiting to be, come back as well. */
  #returnAll(): void {
    const pages: number[] = [];
    for (let page = 1; page <= this.#port.geometry.pageCount; page++) {
      if (this.isOut[page] !== 0 && takeAtEnd(this.#owner, page)) pages.push(page);
    }
    this.#queue = [];
    try {
      if (pages.length > 0) this.#retire('close', pages);
    } catch (error) {
      this.#warn(error);
    }
  }

  #hasPins(): boolean {
    return this.isOut.includes(1);
  }

  /** Nobody uses what circulates: it goes back, and with `isFirst` also what was fed and not taken. */
  #trimIdle(isFirst: boolean): void {
    try {
      this.#port.engine.trim();
      if (isFirst) this.trim('the pool');
      else this.#collect('the pool');
    } catch (error) {
      this.#warn(error);
    }
  }

  #warn(error: unknown): void {
    const text = reasonOf(error);
    // Threads may ask again and again of a provider that has come to its end.
    if (text === this.#failure) return;
    this.#failure = text;
    warn(this.pool.name, text);
  }
}
