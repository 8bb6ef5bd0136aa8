// An observer: readings of a pool, what has changed between them, and what the lints make of it.
//
// One thread's own, and no port of the pool: nobody waits for it, and it may be dropped at any time. What it remembers
// is bounded by the pool: the last readings, and a mark a page that is held.

import { layoutHash } from '#layout-hash';
import { STATE_ACTIVE } from '../../assembly/layout.js';
import { poolState } from '../control/state.js';
import { monotonicMs } from '../platform/clock.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { isPagePool, portOf } from '../pool/enrolled.js';
import { openShare, type PoolShare } from '../pool/share.js';
import { findHolders, type Holder } from '../reports/holders.js';
import { describeSupply } from './description.js';
import { HeldPages } from './held-pages.js';
import { type Lint, type LintOptions, lintsOf, resolveLintOptions } from './lints.js';
import { MissingPages } from './missing-pages.js';
import { type Observed, type ObservedRates, type PoolSnapshot, readPool, watchRest } from './snapshot.js';

/** Readings that the lints judge together. */
const HISTORY = 3;

/**
 * Looks into a pool from outside: without a port, reading only, stopping nobody. Works in any thread that has the
 * pool's share, also when the thread that created the pool hangs or died. In a thread that is attached, pass the pool.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it is neither a share nor a pool; POOL_ERR_ABI_MISMATCH when
 *   another version of the package made the share; POOL_ERR_CORRUPT when share and memory differ
 * @example
 * const observer = observe(pool);
 * observer.snapshot().places.used; // pages that are held
 */
export function observe(source: PoolShare | AttachedPool): Observer {
  if (isPagePool(source)) {
    const port = portOf('observe', source as AttachedPool);
    const { geometry, kind, memory, name } = port;
    return new Observer({ geometry, kind, memory, name, describe: () => describeSupply(port) });
  }
  const { geometry, memory, share } = openShare(source, layoutHash, 'observe');
  return new Observer({ geometry, kind: share.options.source.kind, memory, name: share.name });
}

/** Sees where every page is, what each thread does and waits for, and what is wrong; made by {@link observe}. */
export class Observer {
  readonly #observed: Observed;
  readonly #held: HeldPages;
  readonly #missing: MissingPages;
  #history: PoolSnapshot[] = [];
  /** Since when each wait was seen. */
  #waits = new Map<string, number>();

  /** @internal */
  constructor(observed: Observed) {
    this.#observed = observed;
    this.#held = new HeldPages(observed);
    this.#missing = new MissingPages(observed);
  }

  /** The pool's name. */
  get name(): string {
    return this.#observed.name;
  }

  /**
   * Reads the whole pool: where each page is, what each port has and waits for, channels, calls and counters, with the
   * rates since the snapshot before. Some ten nanoseconds a page; other threads go on meanwhile, and `hasMoved` says
   * whether they did anything. A destroyed pool is read as it ended.
   */
  snapshot(): PoolSnapshot {
    const before = this.#history.at(-1);
    const waits = new Map<string, number>();
    const since = (key: string): number => {
      const now = monotonicMs();
      const first = this.#waits.get(key) ?? now;
      waits.set(key, first);
      return now - first;
    };
    const reading = readPool(this.#observed, since, this.#missing);
    this.#waits = waits;
    this.#held.follow(reading);
    const snapshot = { ...reading, rates: before === undefined ? null : ratesBetween(before, reading) };
    this.#history = [...this.#history, snapshot].slice(-HISTORY);
    return snapshot;
  }

  /**
   * Who has pages now: threads with references or a cache, channels with entries, tokens, answers not collected;
   * each with its first pages and as a sentence. Approximate while threads work. Some ten nanoseconds a page.
   */
  holders(): Holder[] {
    const holders = this.#findHolders();
    // Who has not run since the closing began is news of a pool that closes.
    if (poolState(this.#observed.memory) !== STATE_ACTIVE) return holders;
    return holders
      .filter(({ kind }) => kind !== 'running')
      .map((holder) => ({ ...holder, text: holder.text.replace(/ and has not run since$/, '') }));
  }

  /**
   * What is wrong with the pool, or may become so, by the snapshots made so far: each finding has a name, what was
   * seen, and what helps (docs/inspect.md). Takes a snapshot first. What has to be so for a while is found after three.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an option is not what it should be
   */
  lints(options: LintOptions = {}): Lint[] {
    const resolved = resolveLintOptions('lints', options);
    this.snapshot();
    const holders = (): Holder[] => this.#findHolders();
    return lintsOf({ ...resolved, observed: this.#observed, history: this.#history, held: this.#held, holders });
  }

  /** Pages that nobody was found to have count as nobody's when nothing moved, or when the snapshots say so. */
  #findHolders(): Holder[] {
    const hasRested = watchRest(this.#observed);
    let isStill: boolean | undefined;
    return findHolders(this.#observed, (page) => {
      if (isStill === undefined) {
        const { hasMoved, isInStep } = hasRested();
        isStill = !hasMoved && !isInStep;
      }
      return isStill || this.#missing.lost.has(page);
    });
  }
}

/** Changes a second. Counters of channels and calls wrap at 2^32. */
function ratesBetween(before: PoolSnapshot, after: Omit<PoolSnapshot, 'rates'>): ObservedRates {
  const overMs = after.atMs - before.atMs;
  const rate = (change: number): number => (overMs > 0 ? (change * 1000) / overMs : 0);
  const wrapped = (one: number, other: number): number => rate((other - one) >>> 0);
  const { alloc, hold, recycle } = after.counters;
  const then = before.counters;
  const allocated = ({ fast, refill, slow }: typeof alloc): number => fast + slow + refill;
  const recycled = ({ cached, ring }: typeof recycle): number => cached + ring;
  return {
    overMs,
    allocated: rate(allocated(alloc) - allocated(then.alloc)),
    fragments: rate(alloc.fragments - then.alloc.fragments),
    recycled: rate(recycled(recycle) - recycled(then.recycle)),
    taken: wrapped(then.hold, hold),
    failed: rate(alloc.fail - then.alloc.fail),
    channels: after.channels.map(({ dropped, received, sent }, i) => {
      const old = before.channels[i] as (typeof after.channels)[number];
      return {
        sent: wrapped(old.sent, sent),
        received: wrapped(old.received, received),
        dropped: wrapped(old.dropped, dropped),
      };
    }),
    calls: after.calls.map(({ answered, asked }, i) => {
      const old = before.calls[i] as (typeof after.calls)[number];
      return { asked: wrapped(old.asked, asked), answered: wrapped(old.answered, answered) };
    }),
  };
}
