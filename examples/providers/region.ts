// A provider of one's own, complete: pages out of one SharedArrayBuffer, fed lowest first.

import type { Area, MemoryProvider, ProviderContext } from 'pagepool';

/** What the provider knows of one pool. Several pools may use it, each with a context of its own. */
interface Region {
  readonly area: Area;
  /** Pages that are with the provider. */
  readonly free: Set<number>;
}

/** A provider whose pools have all their pages from the start, in one region each. */
export function region(): MemoryProvider {
  const regions = new Map<ProviderContext, Region>();
  const regionOf = (context: ProviderContext): Region => {
    const found = regions.get(context);
    if (found === undefined) throw new Error('init() was not called for this pool');
    return found;
  };
  return {
    kind: 'region',
    readable: true,
    detachable: true,

    /** Reserves; an error thrown here refuses the pool. */
    init(context) {
      const { pageBytes, pageCount } = context.pool;
      const byteLength = pageBytes * pageCount;
      const area = context.addArea({ buffer: new SharedArrayBuffer(byteLength), byteLength }, pageCount);
      const pages = Array.from({ length: pageCount }, (_, i) => area.firstPage + i);
      regions.set(context, { area, free: new Set(pages) });
    },

    /** Pages are wanted. Less than `count` is fine, and so is nothing: alloc() returns 0 then. */
    grow(context, count) {
      const { free } = regionOf(context);
      const pages = [...free].slice(0, count);
      context.feed(Uint32Array.from(pages));
      // Behind it: a call that throws has done nothing.
      for (const page of pages) free.delete(page);
    },

    /** These pages are the provider's again: each that it fed comes back once. */
    retire(context, pages) {
      for (const page of pages) regionOf(context).free.add(page);
    },

    describe: () => ({ pools: regions.size, free: [...regions.values()].map(({ free }) => free.size) }),

    /** The pool's last page is home. */
    destroy(context) {
      regions.delete(context);
    },
  };
}
