// Where things lie that are numbered: ports, rows, descriptors, and the fragments of handles. Each is worked out here
// alone.
//
// Pure: a geometry and a number give an address or an index. Any thread.

import { DESCRIPTOR_SHIFT, PORT_SHIFT, RETIRED_INDEX_BITS, RETIRED_INDEX_MASK } from '../../assembly/layout.js';
import type { Geometry } from './geometry.js';

/** Stands for a shift where there is none: those are multiples of a unit. */
export const NO_AREA = 1;

/** What has the geometry of a pool: a port, or a seat. */
interface Placed {
  readonly geometry: Geometry;
}

/** Where port `id`'s block lies. */
export function portOffset({ portsOffset }: Geometry, id: number): number {
  return portsOffset + (id << PORT_SHIFT);
}

/** Which of the memory's 16-bit words counts the references that port `id` holds on the page. */
export function rowIndex({ ledgersOffset, ledgerBytes }: Geometry, id: number, page: number): number {
  return ((ledgersOffset + id * ledgerBytes) >>> 1) + page;
}

/** Where the page's descriptor lies. */
export function descriptorAt({ descriptorsOffset }: Geometry, page: number): number {
  return descriptorsOffset + (page << DESCRIPTOR_SHIFT);
}

/** The number of the page that a checked handle's fragment lies in. */
export function pageOfHandle({ geometry }: Placed, handle: number): number {
  const { unitBits, unitsPerPageShift } = geometry;
  return (handle & ((1 << unitBits) - 1)) >>> unitsPerPageShift;
}

/** Where a checked handle's fragment starts in its page, bytes. */
export function startInPage({ geometry }: Placed, handle: number): number {
  const { unitBytes, unitsPerPageShift } = geometry;
  return (handle & ((1 << unitsPerPageShift) - 1)) * unitBytes;
}

/** Where a checked handle's fragment starts in the pool's own memory, bytes. */
export function startOfHandle({ geometry }: Placed, handle: number): number {
  const { pagesOffset, unitBits, unitsPerPageShift, unitBytes } = geometry;
  return pagesOffset + ((handle & ((1 << unitBits) - 1)) - (1 << unitsPerPageShift)) * unitBytes;
}

/**
 * A hint of the first word of bits that may have one set, as it is once word `index` has: raised, so that no older one
 * returns.
 */
export function loweredHint(seen: number, index: number): number {
  const first = Math.min(index, seen & RETIRED_INDEX_MASK);
  return (((seen >>> RETIRED_INDEX_BITS) + 1) << RETIRED_INDEX_BITS) | first;
}
