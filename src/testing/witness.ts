// A witness: stands between a pool and a provider, checks the contract on every call, and fails calls where a test asks
// for it so.
//
// Both sides are the real ones; the witness passes everything on. What it finds wrong it remembers, since a provider
// may swallow an error that is thrown into its callback.

import type { Area, AreaMemory, MemoryProvider, ProviderContext } from '../provider/provider.js';

/** What a witness saw and does. */
export interface Witness {
  readonly provider: MemoryProvider;
  /** Breaches of the contract. */
  readonly faults: string[];
  /** Pages that the provider has fed and not got back, over all pools. */
  readonly out: number;
  /** Pools that the provider has begun with and not ended. */
  readonly open: number;
  /** Context calls so far. */
  readonly calls: number;
  /** Number of the context call that fails; 0: none. */
  failAt: number;
  /** Asks, in the providers' place, for all of their areas: what that leads to is the pool's part of the contract. */
  retireAreas(): void;
}

/** What a failed call throws. */
export class InjectedFailure extends Error {}

/** Watches a provider. */
export function witness(provider: MemoryProvider): Witness {
  return new Watch(provider);
}

interface Seen {
  /** The pool's side of it. */
  readonly pool: ProviderContext;
  readonly context: ProviderContext;
  readonly fed: Set<number>;
  /** Those that were not asked to go. */
  readonly areas: Set<Area>;
}

class Watch implements Witness {
  readonly provider: MemoryProvider;
  readonly faults: string[] = [];
  calls = 0;
  failAt = 0;
  readonly #seen = new Map<ProviderContext, Seen>();
  /** What the callback under way has fed: it counts when the callback returns. */
  #pending: { seen: Seen; pages: number[] } | undefined;

  constructor(provider: MemoryProvider) {
    const { describe, detachable, grow, idleMs, init, kind, readable, retire, uninstall, destroy } = provider;
    this.provider = {
      kind,
      readable,
      detachable,
      ...(idleMs === undefined ? {} : { idleMs }),
      init: (context) => {
        const seen = this.#open(context);
        let result: void | Promise<void>;
        try {
          result = this.#during(seen, () => init.call(provider, seen.context));
        } catch (error) {
          this.#seen.delete(context);
          throw error;
        }
        return result?.catch((error: unknown) => {
          this.#seen.delete(context);
          throw error;
        });
      },
      grow: (context, count) => {
        if (!Number.isInteger(count) || count < 1) this.faults.push(`grow was called for ${count} pages`);
        const seen = this.#of(context, 'grow');
        this.#during(seen, () => grow.call(provider, seen.context, count));
      },
      retire: (context, pages) => {
        const seen = this.#of(context, 'retire');
        for (const page of pages) {
          if (!seen.fed.delete(page)) this.faults.push(`I7 page ${page} was returned and had not been fed`);
        }
        this.#during(seen, () => retire.call(provider, seen.context, pages));
      },
      describe: () => describe.call(provider),
      uninstall: (context) => {
        const seen = this.#of(context, 'uninstall');
        this.#seen.delete(context);
        uninstall?.call(provider, seen.context);
      },
      destroy: (context) => {
        const seen = this.#of(context, 'destroy');
        if (seen.fed.size > 0) this.faults.push(`I7 ${seen.fed.size} pages were not returned before destroy`);
        this.#seen.delete(context);
        return destroy.call(provider, seen.context);
      },
    };
  }

  get out(): number {
    let out = 0;
    for (const { fed } of this.#seen.values()) out += fed.size;
    return out;
  }

  get open(): number {
    return this.#seen.size;
  }

  retireAreas(): void {
    for (const { areas, pool } of this.#seen.values()) for (const area of areas) pool.retireArea(area);
  }

  #open(context: ProviderContext): Seen {
    if (this.#seen.has(context)) this.faults.push('init was called twice for one pool');
    const wrapped = this.#wrap(context, () => seen);
    const seen: Seen = { pool: context, context: wrapped, fed: new Set(), areas: new Set() };
    this.#seen.set(context, seen);
    return seen;
  }

  #of(context: ProviderContext, call: string): Seen {
    const seen = this.#seen.get(context);
    if (seen !== undefined) return seen;
    this.faults.push(`${call} was called for a pool that has not begun, or has ended`);
    return this.#open(context);
  }

  /** What a callback feeds is out when it returns; when it throws nothing is. */
  #during<T>(seen: Seen, run: () => T): T {
    if (this.#pending !== undefined) this.faults.push('a callback was called inside another one');
    const pending = { seen, pages: [] as number[] };
    this.#pending = pending;
    try {
      const result = run();
      for (const page of pending.pages) seen.fed.add(page);
      return result;
    } finally {
      this.#pending = undefined;
    }
  }

  #wrap(context: ProviderContext, seen: () => Seen): ProviderContext {
    const call = <T>(run: () => T): T => {
      this.calls += 1;
      if (this.calls === this.failAt) throw new InjectedFailure(`call ${this.calls} of the context fails`);
      return run();
    };
    return {
      pool: context.pool,
      addArea: (memory: AreaMemory, pages: number): Area =>
        call(() => {
          const area = context.addArea(memory, pages);
          seen().areas.add(area);
          return area;
        }),
      retireArea: (area: Area): void =>
        call(() => {
          context.retireArea(area);
          seen().areas.delete(area);
        }),
      keepArea: (area: Area): void =>
        call(() => {
          context.keepArea(area);
          seen().areas.add(area);
        }),
      feed: (pages: Uint32Array): void =>
        call(() => {
          for (const page of pages) if (seen().fed.has(page)) this.faults.push(`page ${page} is fed while it is out`);
          // A pool may be fed in a callback of another one: its own step is carried out at once.
          const pending = this.#pending?.seen === seen() ? this.#pending.pages : undefined;
          if (pending === undefined) for (const page of pages) seen().fed.add(page);
          context.feed(pages);
          pending?.push(...pages);
        }),
    };
  }
}
