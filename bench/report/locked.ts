// Locked operations: what the design allows on the usual path, beside what the binary holds on every branch.

import type { Facts } from '../harness/results.js';

/** One line of the table of locked operations. */
export interface LockedLine {
  readonly operation: string;
  readonly budget: string;
  readonly binary: string;
}

/** What the design allows on the usual path, and the functions of the binary that the path runs through. */
const LOCKED: readonly [operation: string, budget: string, functions: readonly string[]][] = [
  ['alloc, cache hit', '0', ['alloc']],
  ['last release, room in the cache', '0', ['release']],
  ['alloc + release in bursts, a page', '0', ['allocBurst', 'releaseBulk']],
  ['allocFragment, page open', '0', ['allocFragment']],
  ['release of a fragment while others live', '1', ['assembly/refcount/releaseShared']],
  ['retain', '2', ['retain']],
  ['release of a fragment held twice', '2', ['assembly/refcount/releaseChecked']],
  ['refill of a magazine', '2', ['assembly/ring/ringPop']],
  ['flush of a magazine', '2', ['assembly/ring/ringPush']],
  ['channel send + receive, single', '4', ['send', 'receiveBurst']],
];

export function lockedLines(facts: Facts): LockedLine[] {
  const counted = new Map(facts.locked.map((row) => [row.name, row]));
  return LOCKED.map(([operation, budget, functions]) => {
    const rows = functions.map((name) => counted.get(name));
    const total = rows.reduce((sum, row) => sum + (row?.locked ?? Number.NaN), 0);
    const what = rows.flatMap((row) => (row === undefined ? [] : row.what)).join('; ');
    return { operation, budget, binary: Number.isNaN(total) ? 'not counted' : `${total}: ${what}` };
  });
}
