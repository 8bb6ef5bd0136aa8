// The tables on the terminal: every variant of every row with everything that was measured.

import Table from 'cli-table3';
import { formatCollections, formatHeap, formatNs } from './format.js';
import { groupIds, groupTitles } from './groups.js';
import type { Garbage, RowResult, VariantResult } from './results.js';
import { quantileOf, ratioOf, summaryOf } from './statistics.js';

const HEAD = [
  'operation',
  'variant',
  'ns',
  'p99',
  '± %',
  'samples',
  'per second',
  'gc',
  'heap B',
  '/ wasm',
  'cpu ns',
  'in gc',
];

export const legend = [
  "ns: the median of the rounds' medians, for one operation (its unit stands behind the name); p99: of the samples, each the mean of many",
  'operations; ±: half the 95 % interval between the rounds; gc: collections in a million operations; heap B: growth of the JavaScript heap',
  'by one operation; / wasm: how much longer than the Wasm engine, the median of the ratios of rounds in turn; cpu ns, in gc: processor time and',
  'time in collections of one operation, all threads of the process, where each variant has a process of its own.',
].join('\n');

/** One table a group. */
export function tablesOf(rows: readonly RowResult[]): string {
  const parts: string[] = [];
  for (const group of groupIds) {
    const members = rows.filter((row) => row.group === group);
    if (members.length > 0) parts.push(`\n${groupTitles[group]}`, tableOf(members));
  }
  return parts.join('\n');
}

function tableOf(rows: readonly RowResult[]): string {
  const table = new Table({
    head: HEAD,
    colAligns: ['left', 'left', ...HEAD.slice(2).map(() => 'right' as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    const wasm = row.variants.find(({ name }) => name === 'wasm');
    row.variants.forEach((variant, i) => {
      const { median, p99, marginPercent, samples, perSecond } = summaryOf(variant);
      table.push([
        i === 0 ? `${row.name} (${row.per})` : '',
        variant.name,
        formatNs(median),
        p99 === null ? '' : formatNs(p99),
        marginPercent === null ? '' : marginPercent.toFixed(1),
        samples.toLocaleString('en'),
        Math.round(perSecond).toLocaleString('en'),
        ...garbageCells(variant.garbage),
        wasm === undefined || variant === wasm ? '' : ratioOf(variant, wasm).toFixed(2),
        ...processCells(variant),
      ]);
    });
  }
  return table.toString();
}

/** Processor time and time in collections, where the variant had a process of its own. */
function processCells({ rounds }: VariantResult): string[] {
  return (['processor', 'collection'] as const).map((key) => {
    const values = rounds.map((round) => round[key]).filter((value) => value !== undefined);
    return values.length === 0 ? '' : formatNs(quantileOf(values, 0.5));
  });
}

function garbageCells(garbage: Garbage | undefined): [string, string] {
  if (garbage === undefined) return ['', ''];
  return [formatCollections(garbage), formatHeap(garbage)];
}
