// Areas as a program has them or not: those that attach alone load them by importing pagepool/areas, since most pools
// have no memory but their own. What creates pools has them by itself.

import { invalidArgument } from '../errors.js';
import type { AreasPart } from './areas.js';

let loaded: AreasPart | undefined;

/** From now on this realm has them. */
export function loadAreas(part: AreasPart): void {
  loaded = part;
}

/** They, for a pool with a provider of that kind; throws where they were not loaded. */
export function requireAreas(kind: string): AreasPart {
  if (loaded !== undefined) return loaded;
  const rule = 'pagepool/areas, where a provider has the pages';
  throw invalidArgument('attach', 'provider', kind, rule, 'import pagepool/areas in this thread');
}
