// Where the lines of a plot's grid lie, and what stands beside them: pure, and the same for all plots.

/** Distances of values: the digits 1, 2 and 5, or powers of two for bytes. */
export const DECIMAL = Array.from({ length: 13 }, (_, i) => [1, 2, 5].map((digit) => digit * 10 ** i)).flat();
export const BINARY = Array.from({ length: 40 }, (_, i) => 2 ** i);

/** Steps that a plot's height has room for. */
const STEPS_MAX = 3;
/** Distances on the axis of time, in seconds. */
const AGES = [20, 30, 60, 120, 300, 600, 1200, 3600];
const AGES_MAX = 5;

/** The values of the axis from 0 on: the last one is `max` or above, so that no curve leaves the grid. */
export function valueTicks(max: number, distances: readonly number[]): number[] {
  const step = distances.find((distance) => distance * STEPS_MAX >= max) ?? (distances.at(-1) as number);
  return Array.from({ length: Math.max(1, Math.ceil(max / step)) + 1 }, (_, i) => i * step);
}

/** Times in seconds with round ages, from the oldest up to `last`, whose age is none. */
export function timeTicks(first: number, last: number): number[] {
  const length = last - first;
  const step = AGES.find((age) => age * AGES_MAX >= length) ?? Math.ceil(length / AGES_MAX);
  const ticks = Array.from({ length: Math.floor(length / step + 1e-6) + 1 }, (_, i) => last - i * step);
  return ticks.reverse();
}

/** How long ago, as a tick's label. */
export function ageText(seconds: number): string {
  if (Math.round(seconds) <= 0) return 'now';
  return seconds < 119.5 ? `${Math.round(seconds)} s` : `${Number((seconds / 60).toFixed(1))} min`;
}
