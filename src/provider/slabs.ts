// Slabs: pages cut from big shared buffers, so that memory comes and goes in few large pieces.
//
// A slab is one area. Pages are fed as they are wanted, from the fullest slab first, so that others can empty; a slab
// whose pages are all home is dropped when the pool keeps more than the low-water mark without it, and the emptiest one
// is called in (its pages leave circulation, a refill waives one at a time) when the others have room for what it
// holds. Where more is wanted than all others have, that one is kept after all. The owner's thread only. Source: the
// huge-page providers of the kernel's page_pool (never merged): one mapping, many pages.

import { invalidArgument, requireRecord } from '../errors.js';
import { addressLimit, spareAddresses } from '../platform/addresses.js';
import { longestFreeRun } from './page-numbers.js';
import type { Area, MemoryProvider, ProviderContext } from './provider.js';

/** How slabs are cut and kept. */
export interface SlabOptions {
  /** Bytes of a slab: a power of two, 64 KiB..1 GiB; 2 MiB if not given. A larger page is a slab of its own. */
  slabBytes?: number | undefined;
  /** The low-water mark, bytes: slabs that each pool keeps, used or not; one slab if not given. */
  keepBytes?: number | undefined;
  /**
   * After so long without an allocation or a last release the pool's unused pages are given up, ms; 1000 if not given.
   */
  idleMs?: number | undefined;
}

const SLAB_BYTES_MIN = 64 * 1024;
const SLAB_BYTES_MAX = 1024 * 1024 * 1024;
const SLAB_BYTES = 2 * 1024 * 1024;
const IDLE_MS = 1000;

/** One slab of one pool. */
interface Slab {
  readonly area: Area;
  readonly bytes: number;
  /** Pages that are with the provider; the last is fed first. */
  readonly free: number[];
  /** Its pages are not fed any more. */
  isRetiring: boolean;
}

/** The slabs of one pool. */
interface PoolSlabs {
  readonly slabs: Set<Slab>;
  /** Page -> its slab. */
  readonly slabOf: (Slab | undefined)[];
}

class SlabProvider implements MemoryProvider {
  readonly kind = 'slab';
  readonly readable = true;
  readonly detachable = true;
  readonly idleMs: number;
  readonly #slabBytes: number;
  readonly #keepBytes: number;
  readonly #pools = new Map<ProviderContext, PoolSlabs>();
  #dropped = 0;
  #refused = 0;

  constructor(slabBytes: number, keepBytes: number, idleMs: number) {
    this.#slabBytes = slabBytes;
    this.#keepBytes = keepBytes;
    this.idleMs = idleMs;
  }

  init(context: ProviderContext): void {
    const pool: PoolSlabs = { slabs: new Set(), slabOf: [] };
    while (bytesOf(pool) < this.#keepBytes && numbersLeft(context, pool) > 0) {
      if (this.#cutSmaller(context, pool) !== undefined) continue;
      if (pool.slabs.size === 0)
        throw new RangeError(
          `the platform has no memory for a slab (expected at least a page): close other pools${addressLimit()}`,
        );
      break; // what there is has to do
    }
    this.#pools.set(context, pool);
  }

  grow(context: ProviderContext, count: number): void {
    const pool = this.#poolOf(context);
    const known = new Set(pool.slabs);
    const pages: number[] = [];
    const kept: Slab[] = [];
    try {
      while (pages.length < count) {
        const slab = fullest(pool) ?? this.#cutSmaller(context, pool) ?? keepAfterAll(context, pool, kept);
        if (slab === undefined) break;
        while (pages.length < count && slab.free.length > 0) pages.push(slab.free.pop() as number);
      }
      if (pages.length > 0) context.feed(Uint32Array.from(pages));
    } catch (error) {
      // What throws has not happened, for the pool either.
      while (pages.length > 0) slabOf(pool, pages).free.push(pages.pop() as number);
      for (const slab of pool.slabs) if (!known.has(slab)) forget(pool, slab);
      for (const slab of kept) slab.isRetiring = true;
      throw error;
    }
  }

  retire(context: ProviderContext, pages: Uint32Array): void {
    const pool = this.#poolOf(context);
    for (const page of pages) (pool.slabOf[page] as Slab).free.push(page);
    // All calls of the context first: a call that throws leaves everything as it was.
    const dropped = this.#unused(pool);
    for (const slab of dropped) if (!slab.isRetiring) context.retireArea(slab.area);
    const called = this.#toCallIn(pool, dropped);
    if (called !== undefined) {
      context.retireArea(called.area);
      called.isRetiring = true;
    }
    for (const slab of dropped) forget(pool, slab);
    this.#dropped += dropped.size;
  }

  describe(): Record<string, unknown> {
    const pools = [...this.#pools.values()];
    const slabs = pools.flatMap((pool) => [...pool.slabs]);
    return {
      kind: this.kind,
      slabBytes: this.#slabBytes,
      keepBytes: this.#keepBytes,
      pools: pools.length,
      slabs: slabs.length,
      bytes: pools.reduce((sum, pool) => sum + bytesOf(pool), 0),
      freePages: slabs.reduce((sum, { free }) => sum + free.length, 0),
      retiringSlabs: slabs.filter(({ isRetiring }) => isRetiring).length,
      droppedSlabs: this.#dropped,
      refusedSlabs: this.#refused,
    };
  }

  uninstall(context: ProviderContext): void {
    this.#pools.delete(context);
  }

  destroy(context: ProviderContext): void {
    this.#pools.delete(context);
  }

  #poolOf(context: ProviderContext): PoolSlabs {
    const pool = this.#pools.get(context);
    if (pool === undefined) throw new Error('no slabs for this pool (expected init() before)');
    return pool;
  }

  /** A new slab of `bytes` bytes, or of what page numbers are left. Throws where the platform refuses. */
  #cut(context: ProviderContext, pool: PoolSlabs, bytes: number): Slab {
    const { pageBytes } = context.pool;
    const pages = Math.min(Math.max(1, Math.floor(bytes / pageBytes)), numbersLeft(context, pool));
    const byteLength = pages * pageBytes;
    // The last addresses are the platform's: it ends the process where it finds none.
    if (byteLength > spareAddresses()) throw new RangeError(`${byteLength} bytes of addresses`);
    const buffer =
      typeof SharedArrayBuffer === 'function' ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength);
    const area = context.addArea({ buffer, byteLength }, pages);
    // The lowest number is fed first.
    const free = Array.from({ length: pages }, (_, i) => area.firstPage + pages - 1 - i);
    const slab: Slab = { area, bytes: byteLength, free, isRetiring: false };
    pool.slabs.add(slab);
    for (const page of free) pool.slabOf[page] = slab;
    return slab;
  }

  /** A new slab, halved until the platform grants it; undefined where not even a page is to be had. */
  #cutSmaller(context: ProviderContext, pool: PoolSlabs): Slab | undefined {
    if (numbersLeft(context, pool) === 0) return undefined;
    const { pageBytes } = context.pool;
    for (let bytes = this.#slabBytes; ; bytes /= 2) {
      try {
        return this.#cut(context, pool, bytes);
      } catch (error) {
        if ((error as Error | null)?.name !== 'RangeError') throw error;
        this.#refused += 1;
        if (bytes <= pageBytes) return undefined;
      }
    }
  }

  /** Slabs whose pages are all home and that the pool need not keep. */
  #unused(pool: PoolSlabs): Set<Slab> {
    const unused = new Set<Slab>();
    let kept = 0;
    // One that is called in goes in any case, and is none that the pool keeps.
    for (const slab of pool.slabs) if (!slab.isRetiring) kept += slab.bytes;
    // The oldest are kept: shares have them, and a program that keeps its share keeps their memory.
    for (const slab of [...pool.slabs].reverse()) {
      if (usedOf(slab) !== 0) continue;
      if (!slab.isRetiring) {
        if (kept - slab.bytes < this.#keepBytes) continue;
        kept -= slab.bytes;
      }
      unused.add(slab);
    }
    return unused;
  }

  /** The emptiest slab, where the others have twice the room that its pages take: one at a time. */
  #toCallIn(pool: PoolSlabs, dropped: ReadonlySet<Slab>): Slab | undefined {
    let emptiest: Slab | undefined;
    let room = 0;
    let kept = 0;
    for (const slab of pool.slabs) {
      if (dropped.has(slab)) continue;
      if (slab.isRetiring) return undefined;
      room += slab.free.length;
      kept += slab.bytes;
      if (emptiest === undefined || usedOf(slab) <= usedOf(emptiest)) emptiest = slab; // of two the younger one
    }
    if (emptiest === undefined || kept - emptiest.bytes < this.#keepBytes) return undefined;
    return room - emptiest.free.length < 2 * usedOf(emptiest) ? undefined : emptiest;
  }
}

/**
 * Pages from big shared buffers, which are let go when they are not used any more: on `trim()`, and when nothing
 * was allocated or released for a while. Several pools may share one provider; each has slabs of its own.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an option is unknown or outside its range
 *
 * @example const pool = await PagePool.create({ provider: slabs({ slabBytes: 64 * 1024 * 1024 }), pageBytes: 65536,
 *   pageCount: 32768 });
 */
export function slabs(options: SlabOptions = {}): MemoryProvider {
  const given = requireRecord('slabs', 'options', options, ['slabBytes', 'keepBytes', 'idleMs']) as SlabOptions;
  const { slabBytes = SLAB_BYTES, idleMs = IDLE_MS } = given;
  const keepBytes = given.keepBytes ?? slabBytes;
  const isPower = Number.isInteger(slabBytes) && 2 ** Math.round(Math.log2(slabBytes)) === slabBytes;
  if (!isPower || slabBytes < SLAB_BYTES_MIN || slabBytes > SLAB_BYTES_MAX) {
    throw invalidArgument('slabs', 'slabBytes', slabBytes, `a power of two, ${SLAB_BYTES_MIN}..${SLAB_BYTES_MAX}`);
  }
  if (!Number.isInteger(keepBytes) || keepBytes < 0) {
    throw invalidArgument('slabs', 'keepBytes', keepBytes, 'an integer, 0 or more');
  }
  if (!Number.isInteger(idleMs) || idleMs < 1 || idleMs >= 2 ** 31) {
    throw invalidArgument('slabs', 'idleMs', idleMs, 'an integer, 1..2147483647');
  }
  return new SlabProvider(slabBytes, keepBytes, idleMs);
}

/** The slab with the fewest pages left to feed: what is full already stays full. */
function fullest(pool: PoolSlabs): Slab | undefined {
  let found: Slab | undefined;
  for (const slab of pool.slabs) {
    if (slab.isRetiring || slab.free.length === 0) continue;
    if (found === undefined || slab.free.length < found.free.length) found = slab;
  }
  return found;
}

/**
 * A slab that was called in and has pages that are home, added to `kept`: they are wanted, and there is nothing else.
 */
function keepAfterAll(context: ProviderContext, pool: PoolSlabs, kept: Slab[]): Slab | undefined {
  for (const slab of pool.slabs) {
    if (!slab.isRetiring || slab.free.length === 0) continue;
    context.keepArea(slab.area);
    slab.isRetiring = false;
    kept.push(slab);
    return slab;
  }
  return undefined;
}

/** The slab of the last of the pages. */
function slabOf(pool: PoolSlabs, pages: readonly number[]): Slab {
  return pool.slabOf[pages.at(-1) as number] as Slab;
}

function forget(pool: PoolSlabs, slab: Slab): void {
  pool.slabs.delete(slab);
  const { firstPage, pages } = slab.area;
  pool.slabOf.fill(undefined, firstPage, firstPage + pages);
}

function usedOf({ area, free }: Slab): number {
  return area.pages - free.length;
}

function bytesOf(pool: PoolSlabs): number {
  let bytes = 0;
  for (const slab of pool.slabs) bytes += slab.bytes;
  return bytes;
}

/** Page numbers in a row that no slab has: the most that one more can have. */
function numbersLeft(context: ProviderContext, { slabs }: PoolSlabs): number {
  return longestFreeRun(
    context,
    [...slabs].map(({ area }) => area),
  );
}
