// What one thread holds of a pool, kept beside the pool: which fragments, how they came, since when.
//
// For threads that ask for it. Nothing here decides whether a call is allowed, and nothing is ever freed. An entry
// follows its handle's references in this thread; a Fragment object that is collected with its reference is reported
// once. The registry keeps plain data for that, and the tracker weakly: neither pool nor memory live longer by it.

import type { Seat } from '../control/claims.js';
import { pageOfHandle, rowIndex } from '../control/places.js';
import type { Engine } from '../engine/engine.js';
import { publish } from '../platform/console.js';
import { captureStack } from './call-stack.js';
import { type LeakOptions, type LeakReport, leakText, warnOfLeak } from './report.js';

/** The public calls that bring references, or wait for them, by the engine's call below them; the innermost first. */
export type Entrances = Readonly<
  Record<
    'alloc' | 'allocFragment' | 'allocBurst' | 'retain' | 'receiveBurst' | 'adopt' | 'accept' | 'collect' | 'wait',
    readonly CallableFunction[]
  >
>;

/** What is used of the port of the thread that holds fragments. */
export interface LeakSeat extends Omit<Seat, 'claim'> {
  readonly name: string;
  /** What the thread calls itself. */
  readonly label: string;
  readonly engine: Engine;
}

/** One tracked fragment. */
interface Entry extends Omit<LeakReport, 'ageMs'> {
  readonly since: number;
  readonly left: Record<string, number>;
  references: number;
  isDropped: boolean;
  /** Fragment objects that have one of the references each. */
  objects: number;
}

/** What the registry keeps of a Fragment object. */
interface Trace {
  readonly entry: Entry;
  readonly tracker: WeakRef<LeakTracker>;
}

/** The origin of what did not exist before. */
export const ALLOCATED = 'allocated';

/** With `'sampled'`, one fragment of as many is tracked, on average. */
const SAMPLE = 128;

/** Made for the first tracker. */
let registry: FinalizationRegistry<Trace> | undefined;

/** The fragments that one thread holds. */
export class LeakTracker {
  readonly options: LeakOptions;
  readonly #port: LeakSeat;
  readonly #entrances: Entrances;
  readonly #self = new WeakRef(this);
  /** By handle, the oldest first. */
  readonly #entries = new Map<number, Entry>();
  readonly #objects = new WeakMap<object, Entry>();
  /** Fragments that come before the next one that is tracked. */
  #distance = nextDistance();
  /** During a probe of a wait: the stack of the call that waits, or null when what it takes is not tracked. */
  #waiting: string | null | undefined;

  constructor(port: LeakSeat, options: LeakOptions, entrances: Entrances) {
    this.#port = port;
    this.options = options;
    this.#entrances = entrances;
    registry ??= new FinalizationRegistry(objectGone);
  }

  /** References came: `count` on each of the handles. */
  enter(by: keyof Entrances, origin: string, handles: readonly number[], count = 1): void {
    let stack: string | undefined;
    for (const handle of handles) {
      const known = this.#entries.get(handle);
      if (known !== undefined && origin !== ALLOCATED) {
        known.references += count;
        continue;
      }
      // What was just allocated had no references: an entry is left of one that went by another handle of its page.
      if (known !== undefined) this.#drop(known);
      if (this.#waiting === undefined ? !this.#isDrawn() : this.#waiting === null) continue;
      stack ??= this.#waiting ?? captureStack(this.#entrances[by]);
      this.#entries.set(handle, this.#entryOf(handle, origin, count, stack));
    }
  }

  /** References went: one on each of the handles. */
  leave(how: string, handles: readonly number[]): void {
    for (const handle of handles) {
      const entry = this.#entries.get(handle);
      if (entry === undefined) continue;
      entry.references--;
      entry.left[how] = (entry.left[how] ?? 0) + 1;
      if (entry.references === 0) this.#drop(entry);
    }
  }

  /** A Fragment object has one of its handle's references from now on. */
  watch(fragment: { readonly handle: number }): void {
    const entry = this.#entries.get(fragment.handle);
    if (entry === undefined) return;
    entry.objects++;
    this.#objects.set(fragment, entry);
    registry?.register(fragment, { entry, tracker: this.#self }, fragment);
  }

  /** The Fragment object has none any more. */
  unwatch(fragment: object): void {
    const entry = this.#objects.get(fragment);
    if (entry === undefined) return;
    entry.objects--;
    this.#objects.delete(fragment);
    registry?.unregister(fragment);
  }

  /** The probe of a wait, made such that what it takes counts as taken by the call that is under way now. */
  carry<Result>(probe: () => Result): () => Result {
    const waiting = this.#isDrawn() ? captureStack(this.#entrances.wait) : null;
    return () => {
      this.#waiting = waiting;
      try {
        return probe();
      } finally {
        this.#waiting = undefined;
      }
    };
  }

  /** What this thread has held for `olderThanMs` or longer, the oldest first. */
  reports(olderThanMs: number): LeakReport[] {
    for (const entry of this.#entries.values()) if (!this.isHeld(entry)) this.#drop(entry);
    return [...this.#entries.values()].map(reportOf).filter(({ ageMs }) => ageMs >= olderThanMs);
  }

  /**
   * Whether the pool, too, counts this thread as a holder of the fragment: references are counted by page, entries by
   * handle.
   */
  isHeld({ handle, page, references }: Entry): boolean {
    const { engine, geometry, id, memory } = this.#port;
    const row = memory.u16[rowIndex(geometry, id, page)];
    return references > 0 && row !== 0 && engine.refCount(handle) > 0;
  }

  /** The thread left the pool: it holds nothing. */
  end(): void {
    for (const entry of this.#entries.values()) this.#drop(entry);
  }

  #drop(entry: Entry): void {
    entry.references = 0;
    this.#entries.delete(entry.handle);
  }

  #isDrawn(): boolean {
    if (this.options.leaks === 'all') return true;
    if (this.#distance-- > 0) return false;
    this.#distance = nextDistance();
    return true;
  }

  #entryOf(handle: number, origin: string, references: number, stack: string): Entry {
    const { engine, id: portId, label, name: pool } = this.#port;
    const page = pageOfHandle(this.#port, handle);
    const bytes = engine.extent(handle);
    const since = Date.now();
    return {
      pool,
      handle,
      page,
      bytes,
      since,
      portId,
      label,
      origin,
      references,
      left: {},
      isDropped: false,
      stack,
      objects: 0,
    };
  }
}

/** At random: with a fixed distance a program that repeats itself would always show the same call. */
function nextDistance(): number {
  return Math.floor(Math.random() * (2 * SAMPLE - 1));
}

function reportOf({ since, objects: _, ...entry }: Entry): LeakReport {
  return { ...entry, left: { ...entry.left }, ageMs: Math.max(0, Date.now() - since) };
}

/** A Fragment object was collected that still had its reference, as far as it knew. */
function objectGone({ entry, tracker }: Trace): void {
  entry.objects--;
  const owner = tracker.deref();
  // Released by its number, or the reference left is another object's.
  if (entry.references <= entry.objects || owner?.isHeld(entry) === false) return;
  entry.isDropped = true;
  const report = reportOf(entry);
  publish('pagepool:leak', { ...report, text: leakText(report) });
  (owner?.options.onLeak ?? warnOfLeak)(report);
}
