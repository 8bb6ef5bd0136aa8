// Page numbers: where the areas of one context leave room for another one.
//
// An area needs numbers in a row, so what counts is the longest run that no area has, and not how many are left in all:
// areas of several sizes leave gaps. Both sides of a context read it in the same way.

import type { Area, ProviderContext } from './provider.js';

/** Page numbers in a row. */
interface Run {
  readonly firstPage: number;
  readonly pages: number;
}

/** The runs of `firstPage`..`lastPage` that no area has, lowest first; empty ones among them. */
export function freeRuns(firstPage: number, lastPage: number, areas: Iterable<Area>): Run[] {
  const sorted = [...areas].sort((one, other) => one.firstPage - other.firstPage);
  const runs: Run[] = [];
  let first = firstPage;
  for (const area of sorted) {
    runs.push({ firstPage: first, pages: area.firstPage - first });
    first = area.firstPage + area.pages;
  }
  runs.push({ firstPage: first, pages: lastPage + 1 - first });
  return runs;
}

/** The most pages that one more area of the context can have beside these, which are all of its areas. */
export function longestFreeRun({ pool }: ProviderContext, areas: Iterable<Area>): number {
  const { firstPage, pageCount } = pool;
  return Math.max(...freeRuns(firstPage, firstPage + pageCount - 1, areas).map(({ pages }) => pages));
}
