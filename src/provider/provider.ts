// What a memory provider is: where a pool's pages come from and go back to.
//
// The pool never assumes that a page can be read. Everything here is called on the owner's thread only, the one that
// created the pool; a callback must not call the pool.

/** Memory that an area is cut from: a stretch of a buffer, or a device's memory that the processor cannot see. */
export interface AreaMemory {
  readonly buffer?: ArrayBufferLike | undefined;
  readonly byteOffset?: number | undefined;
  readonly byteLength: number;
}

/** One contiguous region that a provider has cut into pages. */
export interface Area {
  readonly index: number;
  readonly firstPage: number;
  readonly pages: number;
}

/** What a provider may do with one pool; several pools may share a provider, each with a context of its own. */
export interface ProviderContext {
  readonly pool: {
    readonly id: number;
    readonly name: string;
    readonly pageBytes: number;
    readonly pageCount: number;
    /** The number of the first of them. */
    readonly firstPage: number;
    /** The smallest step of a fragment: fragments start at its multiples. */
    readonly unitBytes: number;
  };
  addArea(memory: AreaMemory, pages: number): Area;
  feed(pages: Uint32Array): void;
  retireArea(area: Area): void;
  /** Takes `retireArea` back, while pages of the area are out: it is an area like any other again. */
  keepArea(area: Area): void;
}

/** Where pages come from and go back to. Which one a pool uses is configuration: no consumer's code changes with it. */
export interface MemoryProvider {
  /** `'wasm-memory'`, or another provider's name. */
  readonly kind: string;
  /** May the processor read a page? */
  readonly readable: boolean;
  /** May a pinned page leave the pool? */
  readonly detachable: boolean;
  /**
   * After so long without any allocation or last release the pool gives it the pages that circulate unused; never if
   * not given.
   */
  readonly idleMs?: number | undefined;
  /** Validates and reserves; throws to refuse. */
  init(context: ProviderContext): void | Promise<void>;
  /** Pages are wanted: feed up to `count`, now or later. */
  grow(context: ProviderContext, count: number): void;
  /** These pages left circulation: keep them, feed them again, or free them. */
  retire(context: ProviderContext, pages: Uint32Array): void;
  /** For statistics and inspectors. */
  describe(): Record<string, unknown>;
  /** The device is gone: later calls must be harmless. */
  uninstall?(context: ProviderContext): void;
  /** This pool's last page is home and unpinned. */
  destroy(context: ProviderContext): void | Promise<void>;
}
