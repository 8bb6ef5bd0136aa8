// Looks things up in results, for budgets and losses: rows and variants by their names, and differences round by round.

import type { Results, Round, RowResult, VariantResult } from '../harness/results.js';
import { medianOf, ratioOf } from '../harness/statistics.js';

export function findRow({ rows }: Results, id: string): RowResult | undefined {
  return rows.find((row) => row.id === id);
}

export function findVariant(results: Results, id: string, name: string): VariantResult | undefined {
  return findRow(results, id)?.variants.find((variant) => variant.name === name);
}

/** Where a figure comes from: row and variant. */
export type Source = readonly [id: string, variant: string];

/** Median nanoseconds; undefined when it was not measured. */
export function nsOf(results: Results, [id, name]: Source): number | undefined {
  const variant = findVariant(results, id, name);
  return variant && medianOf(variant.rounds.map((round) => round.median));
}

/** `a / b`, the median over the rounds. */
export function ratioBetween(results: Results, a: Source, b: Source): number | undefined {
  const [x, y] = [findVariant(results, ...a), findVariant(results, ...b)];
  return x && y && ratioOf(x, y);
}

/** Nanoseconds of processor time, the median over the rounds; undefined where a variant shares its process. */
export function processorOf(results: Results, [id, name]: Source): number | undefined {
  const rounds = findVariant(results, id, name)?.rounds.flatMap(({ processor }) => processor ?? []);
  return rounds === undefined || rounds.length === 0 ? undefined : medianOf(rounds);
}

/**
 * `a / b` of a figure of each round, the median over the rounds. `idle`: what both do beside what is compared, in a
 * variant of its own; its figure is taken off.
 */
export function ratioOfRounds(
  results: Results,
  a: Source,
  b: Source,
  figure: (round: Round) => number | null | undefined,
  idle?: Source,
): number | undefined {
  const [x, y, z] = [a, b, idle ?? a].map((source) => findVariant(results, ...source)?.rounds);
  if (x === undefined || y === undefined || z === undefined) return undefined;
  const rounds = Math.min(x.length, y.length, z.length);
  const ratios = Array.from({ length: rounds }, (_, i) => {
    const [p, q, less] = [x, y, z].map((all) => figure(all[i] as Round) ?? Number.NaN) as [number, number, number];
    return idle === undefined ? p / q : (p - less) / (q - less);
  });
  return ratios.length === 0 || ratios.some(Number.isNaN) ? undefined : medianOf(ratios);
}

/** The variants of pagepool begin with their engine's name. */
export const isPagepool = (name: string) => /^(?:wasm|typescript)\b/.test(name);
export const isWasm = (name: string) => /^wasm\b/.test(name);
