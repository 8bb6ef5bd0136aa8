// What a pool's providers report of themselves, in the thread that calls them.

import type { Port } from '../port/port.js';
import type { ObservedProvider } from './snapshot.js';

/** The reports of the provider and of the reserve. */
export type Descriptions = Pick<ObservedProvider, 'description' | 'reserve'>;

/** What they report, where this thread calls them; null in other threads, and of one that cannot describe itself. */
export function describeSupply({ isGone, supply }: Port): Descriptions {
  try {
    const { description = null, reserve = null } = (isGone ? undefined : supply?.report()) ?? {};
    return { description, reserve };
  } catch {
    return { description: null, reserve: null };
  }
}
