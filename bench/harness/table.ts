// The tables on the terminal: every variant of every row with everything that was measured.

import Table from 'cli-table3';
import { formatCollections, formatHeap, formatNs } from './format.js';
import { groupIds, groupTitles } from './groups.js';
import type { Garbage, RowResult } from './results.js';
import { ratioOf, summaryOf } from './statistics.js';

const HEAD = ['operation', 'variant', 'ns', 'p99', '± %', 'samples', 'per second', 'gc', 'heap B', '/ wasm'];

export const legend = [
  "ns: the median of the rounds' medians, for one operation (its unit stands behind the name); p99: of the samples, each the mean of many",
  'operations; ±: half the 95 % interval between the rounds; gc: collections in a million operations; heap B: growth of the JavaScript heap',
  'by one operation; / wasm: how much longer than the Wasm engine, the median of the ratios of rounds in turn.',
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
      ]);
    });
  }
  return table.toString();
}

function garbageCells(garbage: Garbage | undefined): [string, string] {
  if (garbage === undefined) return ['', ''];
  return [formatCollections(garbage), formatHeap(garbage)];
}
