// A provider's side of one pool: its areas, and which of its pages are out.
//
// The owner's thread only. Every call of a provider is checked here and collected into a step; the pool
// (src/supply/supply.ts) carries a step out as a whole when the callback that made it returns, and drops it when the
// callback throws. So what a failing provider took is returned before anybody else has seen it.

import type { Geometry } from '../control/geometry.js';
import { callError, type PagePoolError, show } from '../errors.js';
import { isPlainBuffer, isSharedBuffer, isWords } from '../platform/buffers.js';
import { freeRuns } from '../provider/page-numbers.js';
import type { Area, AreaMemory, MemoryProvider, ProviderContext } from '../provider/provider.js';
import type { SharedArea } from './areas.js';

/** What a provider asked for, not carried out yet. */
export interface Step {
  readonly added: OwnedArea[];
  readonly fed: number[];
  readonly retired: OwnedArea[];
  /** Areas that were retiring before. */
  readonly kept: OwnedArea[];
}

/** An area as its owner knows it. */
export interface OwnedArea extends SharedArea, Area {
  readonly context: Context;
  /** The epoch since which threads may know it. */
  since: number;
  /** Pages that the provider has fed and not got back. */
  out: number;
  /** Pages that come home go to the provider and are not fed again. */
  isRetiring: boolean;
}

/** What the contexts of one pool share. */
export interface ContextHost {
  readonly geometry: Geometry;
  readonly isShared: boolean;
  readonly pool: Omit<ProviderContext['pool'], 'firstPage'>;
  /** Page -> 1: its provider has fed it and not got it back. */
  readonly isOut: Uint8Array;
  /** Index -> area: of all contexts. */
  readonly areas: Map<number, OwnedArea>;
  /** Page -> index of its area, 0 = none. */
  readonly indexes: Uint16Array;
  /** The step that the callback under way collects; undefined outside of callbacks. */
  readonly step: Step | undefined;
  /** Carries a step out. Throws, and nothing of it is done, where the platform refuses. */
  commit(step: Step): void;
}

const AREAS_MAX = 65535;

export class Context implements ProviderContext {
  readonly provider: MemoryProvider;
  readonly pool: ProviderContext['pool'];
  /** The pool's pages that are this provider's. */
  readonly firstPage: number;
  readonly lastPage: number;
  readonly isReserve: boolean;
  readonly #host: ContextHost;
  #isOver = false;

  constructor(host: ContextHost, provider: MemoryProvider, firstPage: number, lastPage: number, isReserve: boolean) {
    this.#host = host;
    this.provider = provider;
    this.pool = Object.freeze({ ...host.pool, firstPage, pageCount: lastPage - firstPage + 1 });
    this.firstPage = firstPage;
    this.lastPage = lastPage;
    this.isReserve = isReserve;
  }

  addArea(memory: AreaMemory, pages: number): Area {
    this.#requireLive('addArea');
    const { buffer, byteOffset = 0 } = this.#checkMemory(memory, pages);
    const firstPage = this.#findRoom(pages);
    const area: OwnedArea = {
      index: this.#freeIndex(),
      firstPage,
      pages,
      buffer,
      byteOffset,
      context: this,
      since: 0,
      out: 0,
      isRetiring: false,
    };
    this.#host.areas.set(area.index, area);
    this.#host.indexes.fill(area.index, firstPage, firstPage + pages);
    this.#add((step) => step.added.push(area));
    return Object.freeze({ index: area.index, firstPage, pages });
  }

  feed(pages: Uint32Array): void {
    this.#requireLive('feed');
    if (!isWords(pages)) throw failed('feed', 'pages', pages, 'a Uint32Array');
    const fed = [...pages]; // read once: they may be another thread's to write, too
    const areas = fed.map((page) => this.#areaOf(page));
    // All are right: none was marked if one is not.
    const seen = new Set(fed);
    if (seen.size !== fed.length) throw failed('feed', 'pages', fed.length, `${seen.size}, each page once`);
    areas.forEach((area, i) => {
      this.#host.isOut[fed[i] as number] = 1;
      area.out += 1;
    });
    this.#add((step) => {
      for (const page of fed) step.fed.push(page);
    });
  }

  retireArea(area: Area): void {
    this.#setRetiring('retireArea', area, true);
  }

  keepArea(area: Area): void {
    this.#setRetiring('keepArea', area, false);
  }

  #setRetiring(call: string, area: Area, isRetiring: boolean): void {
    this.#requireLive(call);
    const index = (area as Partial<Area> | null)?.index;
    const owned = this.#host.areas.get(index ?? 0);
    if (owned?.context !== this || owned.firstPage !== area.firstPage) {
      throw failed(call, 'area', index, 'an area that addArea returned and that is not gone');
    }
    if (owned.isRetiring === isRetiring) return;
    owned.isRetiring = isRetiring;
    this.#add(({ kept, retired }) => {
      const [stated, opposite] = isRetiring ? [retired, kept] : [kept, retired];
      // The last word counts; what takes back one of the same step is none.
      const at = opposite.indexOf(owned);
      if (at < 0) stated.push(owned);
      else opposite.splice(at, 1);
    });
  }

  /** The provider is done with the pool, or the pool with the provider. */
  end(): void {
    this.#isOver = true;
  }

  /** Undoes what a step has marked. */
  static withdraw({ areas, indexes, isOut }: ContextHost, step: Step): void {
    for (const page of step.fed) {
      isOut[page] = 0;
      (areas.get(indexes[page] as number) as OwnedArea).out -= 1;
    }
    for (const area of step.retired) area.isRetiring = false;
    for (const area of step.kept) area.isRetiring = true;
    for (const { index, firstPage, pages } of step.added) {
      areas.delete(index);
      indexes.fill(0, firstPage, firstPage + pages);
    }
  }

  #add(record: (step: Step) => void): void {
    const step = this.#host.step ?? emptyStep();
    record(step);
    if (step === this.#host.step) return;
    try {
      this.#host.commit(step);
    } catch (error) {
      Context.withdraw(this.#host, step);
      throw error;
    }
  }

  #requireLive(call: string): void {
    if (this.#isOver) throw failed(call, 'pool', this.#host.pool.name, 'a pool that still uses this provider');
  }

  #checkMemory(memory: AreaMemory, pages: number): AreaMemory {
    const { geometry, isShared } = this.#host;
    const { buffer, byteLength, byteOffset = 0 } = memory ?? {};
    const most = this.pool.pageCount;
    if (!Number.isInteger(pages) || pages < 1 || pages > most)
      throw failed('addArea', 'pages', pages, `an integer, 1..${most}`);
    const least = pages * geometry.pageBytes;
    if (!Number.isInteger(byteLength) || byteLength < least || least >= 2 ** 32) {
      throw failed('addArea', 'byteLength', byteLength, `${least} or more for ${pages} pages, below 4 GiB`);
    }
    if (buffer === undefined) {
      if (this.provider.readable)
        throw failed('addArea', 'buffer', buffer, 'a buffer, since pages of this provider are readable');
      return memory;
    }
    const isBuffer = isSharedBuffer(buffer) || (!isShared && isPlainBuffer(buffer));
    if (!isBuffer) throw failed('addArea', 'buffer', buffer, 'a SharedArrayBuffer, which other threads can be given');
    if (!Number.isInteger(byteOffset) || byteOffset < 0 || byteOffset + byteLength > buffer.byteLength) {
      throw failed('addArea', 'byteOffset', byteOffset, `0..${buffer.byteLength - byteLength}, inside the buffer`);
    }
    return memory;
  }

  /** The first page number of a gap that is long enough. */
  #findRoom(pages: number): number {
    const areas = [...this.#host.areas.values()].filter(({ context }) => context === this);
    const run = freeRuns(this.firstPage, this.lastPage, areas).find((free) => free.pages >= pages);
    if (run !== undefined) return run.firstPage;
    throw failed(
      'addArea',
      'pages',
      pages,
      `page numbers that are free and in a row: the pool has ${this.pool.pageCount} in all`,
    );
  }

  #freeIndex(): number {
    for (let index = 1; index <= AREAS_MAX; index++) if (!this.#host.areas.has(index)) return index;
    throw failed('addArea', 'areas', AREAS_MAX, `fewer than ${AREAS_MAX}`);
  }

  /** The area of a page that may be fed. */
  #areaOf(page: number): OwnedArea {
    const area = this.#host.areas.get(this.#host.indexes[page] ?? 0);
    if (area?.context === this) {
      if (area.isRetiring) throw failed('feed', 'page', page, 'a page of an area that is not retiring');
      if (this.#host.isOut[page] === 1)
        throw failed('feed', 'page', page, 'a page that the provider has, not one that is out');
      return area;
    }
    throw failed('feed', 'page', page, 'a page of one of its areas');
  }
}

/** A step in which nothing was asked for. */
export function emptyStep(): Step {
  return { added: [], fed: [], retired: [], kept: [] };
}

/** The error of a provider that uses its context wrongly. */
function failed(call: string, name: string, value: unknown, rule: string): PagePoolError {
  return callError('POOL_ERR_PROVIDER', `context.${call}`, `${name}=${show(value)}`, rule);
}
