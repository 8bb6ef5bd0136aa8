// What a program has loaded for memory that a provider has: most pools have no memory but their own.
//
// pagepool has all of it. Beside pagepool/attach and pagepool/lean, threads that attach import pagepool/areas. The
// owner's side, with areas, is in pagepool/providers, which has slabs() and is imported for providers of one's own;
// userArea(), webgpu() and testProvider() bring it along.

import { invalidArgument, type PagePoolError } from '../errors.js';
import type { MemoryProvider } from '../provider/provider.js';
import type { Areas, AreasPart, AreasSeat } from './areas.js';
import type { SupplySeat } from './callbacks.js';
import type { Supply } from './supply.js';

/** What a thread has that calls providers. */
export interface OwnerPart {
  /** What follows areas in threads that attach: whoever has the owner's side has that as well. */
  readonly areas: AreasPart;
  /** Opens the table of the thread that says what changes. */
  openAreas(seat: AreasSeat): Areas;
  /** The owner's side of one pool. */
  openSupply(
    port: SupplySeat,
    table: Areas,
    main: MemoryProvider | undefined,
    reserve: MemoryProvider | undefined,
  ): Supply;
  /** The provider that the options name `'slab'`. */
  slabs(): MemoryProvider;
}

let loadedAreas: AreasPart | undefined;
let loadedOwner: OwnerPart | undefined;

/** From now on this realm has what follows areas. */
export function loadAreas(part: AreasPart): void {
  loadedAreas = part;
}

/** From now on this realm has the owner's side. */
export function loadOwner(part: OwnerPart): void {
  loadedOwner = part;
  loadedAreas = part.areas;
}

/** What follows areas, for a pool with a provider of that kind; throws where it was not loaded. */
export function requireAreas(kind: string): AreasPart {
  if (loadedAreas !== undefined) return loadedAreas;
  throw notLoaded('attach', 'provider', kind, 'pagepool/areas');
}

/** The owner's side, for an option that is a provider of that kind; throws where it was not loaded. */
export function requireOwner(call: string, option: string, kind: string): OwnerPart {
  if (loadedOwner !== undefined) return loadedOwner;
  throw notLoaded(call, option, kind, 'pagepool/providers');
}

function notLoaded(call: string, option: string, kind: string, entry: string): PagePoolError {
  return invalidArgument(
    call,
    option,
    kind,
    `${entry}, where a provider has the pages`,
    `import ${entry} in this thread`,
  );
}
