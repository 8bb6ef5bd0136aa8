// The table of one part of the demo: medians over the rounds; runs stand in the order of their rounds.

import Table from 'cli-table3';
import type { Run } from './receiver.js';
import { type VariantName, variantNames } from './variants/variant.js';

type Column = { head: string; cell: (runs: Run[], all: Map<VariantName, Run[]>) => string };

const perSecond = (run: Run) => run.records / run.seconds;

const columns: Column[] = [
  { head: 'records/s', cell: (runs) => Math.round(median(runs, perSecond)).toLocaleString('en') },
  { head: 'GB/s', cell: (runs) => median(runs, (run) => run.bytes / run.seconds / 1e9).toFixed(2) },
  { head: 'CPU s', cell: (runs) => median(runs, (run) => run.cpuSeconds).toFixed(2) },
  { head: 'GCs', cell: (runs) => String(median(runs, (run) => run.collections.count)) },
  { head: 'GC ms', cell: (runs) => median(runs, (run) => run.collections.ms).toFixed(1) },
  { head: 'peak MB', cell: (runs) => String(Math.round(median(runs, (run) => run.peakBytes) / 1e6)) },
  { head: 'pages new', cell: (runs) => poolCell(runs, (pool) => pool.allocated) },
  { head: 'recycled', cell: (runs) => poolCell(runs, (pool) => pool.recycled) },
  ...variantNames
    .filter((name) => name !== 'pagepool')
    .map((name) => ({
      head: `x ${name}`,
      cell: (runs: Run[], all: Map<VariantName, Run[]>) => ratio(runs, all.get(name) ?? [], perSecond),
    })),
];

/** A table with one line a variant. */
export function tableOf(all: Map<VariantName, Run[]>): string {
  const table = new Table({
    head: ['', ...columns.map((column) => column.head)],
    colAligns: ['left', ...columns.map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
  for (const [name, runs] of all) table.push([name, ...columns.map((column) => column.cell(runs, all))]);
  return table.toString();
}

/** One line: pagepool's processor time against that of each baseline. */
export function cpuLineOf(all: Map<VariantName, Run[]>): string {
  const own = all.get('pagepool') ?? [];
  const parts = variantNames
    .filter((name) => name !== 'pagepool')
    .map((name) => `${ratio(own, all.get(name) ?? [], (run) => run.cpuSeconds)} of ${name}`);
  return `CPU time of pagepool: ${parts.join(', ')}`;
}

function median(runs: Run[], value: (run: Run) => number): number {
  return middle(runs.map(value));
}

function middle(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[half] as number;
  return ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}

/** The median of the rounds' ratios: runs of one round were neighbours in time, so that a busy machine hits both. */
function ratio(runs: Run[], others: Run[], value: (run: Run) => number): string {
  const ratios = runs.map((run, round) => value(run) / value(others[round] as Run));
  return middle(ratios).toFixed(2);
}

function poolCell(runs: Run[], value: (pool: NonNullable<Run['pool']>) => number): string {
  if (runs.some((run) => run.pool === null)) return '';
  return median(runs, (run) => value(run.pool as NonNullable<Run['pool']>)).toLocaleString('en');
}
