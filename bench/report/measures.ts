// Looks things up in results, for budgets and losses: rows and variants by their names, and differences round by round.

import type { Results, Round, RowResult, VariantResult } from '../harness/results.js';
import { medianOf, pairs, ratioOf } from '../harness/statistics.js';

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

/** `a / b` of a figure of each round, the median over the rounds. */
export function ratioOfRounds(
  results: Results,
  a: Source,
  b: Source,
  figure: (round: Round) => number | null | undefined,
): number | undefined {
  const [x, y] = [findVariant(results, ...a), findVariant(results, ...b)];
  if (x === undefined || y === undefined) return undefined;
  const ratios = pairs(x.rounds, y.rounds).map(([p, q]) => (figure(p) ?? Number.NaN) / (figure(q) ?? Number.NaN));
  return ratios.length === 0 || ratios.some(Number.isNaN) ? undefined : medianOf(ratios);
}

/** The variants of pagepool begin with their engine's name. */
export const isPagepool = (name: string) => /^(?:wasm|typescript)\b/.test(name);
export const isWasm = (name: string) => /^wasm\b/.test(name);
