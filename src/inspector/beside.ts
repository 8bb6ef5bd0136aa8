// What only the pool's own thread knows: what it holds, with stacks, and what its providers report of themselves.

import { type Descriptions, describeSupply } from '../inspect/description.js';
import type { LeakReport } from '../leaks/report.js';
import { portOf } from '../pool/enrolled.js';
import type { PagePool } from '../pool/page-pool.js';

/** Fragments that are shown with their stacks, at most. */
const LEAKS_MAX = 100;

/** The part of a look that no share tells. */
export interface Beside extends Descriptions {
  readonly leaks: readonly LeakReport[];
}

/** What is known where the share is all there is. */
export const NOTHING: Beside = { leaks: [], description: null, reserve: null };

/**
 * What this thread knows of its pool, in plain values.
 *
 * @param folders beginnings of paths that stacks are shown without
 */
export function besideOf(pool: PagePool, folders: readonly string[] = []): Beside {
  const { description, reserve } = describeSupply(portOf('inspector', pool));
  const leaks = pool.leaks().slice(0, LEAKS_MAX);
  const shorten = (stack: string): string => folders.reduce((text, folder) => text.replaceAll(folder, ''), stack);
  return {
    leaks: leaks.map((leak) => ({ ...leak, stack: shorten(leak.stack) })),
    description: plain(description),
    reserve: plain(reserve),
  };
}

/** A report as JSON has it; null where that is not to be had, as of one with circles. */
function plain(report: Beside['description']): Beside['description'] {
  try {
    return JSON.parse(JSON.stringify(report));
  } catch {
    return null;
  }
}
