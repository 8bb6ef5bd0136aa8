// The few figures that the bench makes of many: medians, quantiles, spreads, and ratios taken round by round.

import type { Round, VariantResult } from './results.js';

/** The value at `quantile` (0..1) of the values, between neighbours where it falls between them. */
export function quantileOf(values: readonly number[], quantile: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * quantile;
  const below = Math.floor(at);
  const low = sorted[below] ?? Number.NaN;
  return low + ((sorted[Math.min(below + 1, sorted.length - 1)] as number) - low) * (at - below);
}

export function medianOf(values: readonly number[]): number {
  return quantileOf(values, 0.5);
}

/** Two-sided 95 % values of Student's t by degrees of freedom, from 1. */
const STUDENT_95 = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145];

/** Half the width of the 95 % interval of the mean, in percent of it; null with fewer than two values. */
export function marginPercent(values: readonly number[]): number | null {
  const count = values.length;
  if (count < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const critical = STUDENT_95[count - 2] ?? 1.96;
  return (100 * critical * Math.sqrt(variance / count)) / mean;
}

/** What stands for a variant in the tables. */
export interface Summary {
  /** Nanoseconds of one operation: the median of the rounds' medians. */
  readonly median: number;
  readonly p99: number | null;
  /** Between the rounds. */
  readonly marginPercent: number | null;
  readonly samples: number;
  readonly perSecond: number;
}

export function summaryOf({ rounds }: VariantResult): Summary {
  const medians = rounds.map((round) => round.median);
  const p99s = rounds.flatMap((round) => round.p99 ?? []);
  const median = medianOf(medians);
  return {
    median,
    p99: p99s.length === 0 ? null : medianOf(p99s),
    marginPercent: marginPercent(medians),
    samples: rounds.reduce((sum, round) => sum + round.samples, 0),
    perSecond: 1e9 / median,
  };
}

/**
 * How much longer `a` took than `b`: the median of the ratios of rounds that ran one after the other. A machine that
 * slows down for a while slows both rounds of a pair.
 */
export function ratioOf(a: VariantResult, b: VariantResult): number {
  return medianOf(pairs(a.rounds, b.rounds).map(([x, y]) => x.median / y.median));
}

/** The rounds of equal number. */
export function pairs(a: readonly Round[], b: readonly Round[]): [Round, Round][] {
  return a.slice(0, b.length).map((round, i) => [round, b[i] as Round]);
}
