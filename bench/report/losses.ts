// Where pagepool loses: computed from the results, every row against everything that it was compared with.

import { groupIds } from '../harness/groups.js';
import type { Results, RowResult, VariantResult } from '../harness/results.js';
import { ratioOf, summaryOf } from '../harness/statistics.js';
import { isPagepool, isWasm } from './measures.js';

/** Something that was faster than one of our ways, or than several. */
export interface Loss {
  readonly row: RowResult;
  readonly other: string;
  readonly otherNs: number;
  readonly ours: readonly { readonly name: string; readonly ns: number; readonly ratio: number }[];
}

/** A baseline does less than any row: nothing is lost against it. */
const isBaseline = (name: string) => name === 'baseline' || name.startsWith('Atomics.');

function inOrder(results: Results): RowResult[] {
  return [...results.rows].sort((a, b) => groupIds.indexOf(a.group) - groupIds.indexOf(b.group));
}

/** Every variant that was faster than a Wasm variant of the same row. */
export function lossesOf(results: Results): Loss[] {
  return inOrder(results).flatMap((row) => {
    const ours = row.variants.filter(({ name }) => isWasm(name));
    const others = row.variants.filter(({ name }) => !isPagepool(name) && !isBaseline(name));
    return others.flatMap((other) => {
      const slower = slowerThan(other, ours);
      return slower.length === 0 ? [] : { row, other: other.name, otherNs: summaryOf(other).median, ours: slower };
    });
  });
}

/** Every TypeScript variant that was faster than the Wasm variant of the same way. */
export function engineLossesOf(results: Results): Loss[] {
  return inOrder(results).flatMap((row) =>
    row.variants
      .filter(({ name }) => isPagepool(name) && !isWasm(name))
      .flatMap((other) => {
        const same = row.variants.filter(({ name }) => name === other.name.replace('typescript', 'wasm'));
        const slower = slowerThan(other, same);
        return slower.length === 0 ? [] : { row, other: other.name, otherNs: summaryOf(other).median, ours: slower };
      }),
  );
}

function slowerThan(other: VariantResult, ours: readonly VariantResult[]): Loss['ours'] {
  return ours
    .map((variant) => ({ name: variant.name, ns: summaryOf(variant).median, ratio: ratioOf(variant, other) }))
    .filter(({ ratio }) => ratio > 1);
}
