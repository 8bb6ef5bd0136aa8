// Tables with a column a size: of messages, pages, ports or threads.

import { formatNs, sizeName } from '../harness/format.js';
import type { GroupId, Results, RowResult, VariantResult } from '../harness/results.js';
import { summaryOf } from '../harness/statistics.js';
import { markdown, members, notesOf } from './tables.js';

const valuesOf = (rows: readonly RowResult[]) =>
  [...new Set(rows.flatMap(({ place }) => place?.value ?? []))].sort((a, b) => a - b);

const seriesOf = (rows: readonly RowResult[]) => [...new Set(rows.flatMap(({ place }) => place?.series ?? []))];

const namesOf = (rows: readonly RowResult[]) => [
  ...new Set(rows.flatMap(({ variants }) => variants.map(({ name }) => name))),
];

function cellAt(rows: readonly RowResult[], series: string, value: number, name: string): VariantResult | undefined {
  const row = rows.find(({ place }) => place?.series === series && place.value === value);
  return row?.variants.find((variant) => variant.name === name);
}

/** Variants against sizes: one table a flavour. Medians, and p99 where there is one. */
export function handoffTables(results: Results, group: GroupId): string {
  const rows = members(results, group);
  const values = valuesOf(rows);
  const tables = seriesOf(rows).map((series) => {
    const cells = namesOf(rows).map((name) => [
      name,
      ...values.map((value) => {
        const variant = cellAt(rows, series, value, name);
        if (variant === undefined) return '';
        const { median, p99 } = summaryOf(variant);
        return p99 === null ? formatNs(median) : `${formatNs(median)} (${formatNs(p99)})`;
      }),
    ]);
    const heading = `${series[0]?.toUpperCase()}${series.slice(1)}`;
    return `${heading}:\n\n${markdown(['variant', ...values.map(sizeName)], cells)}`;
  });
  return tables.join('\n\n') + notesOf(rows);
}

/** Series and engines against a size: medians, and how they grow from the first. */
export function growthTable(results: Results, group: GroupId): string {
  const rows = members(results, group);
  const values = valuesOf(rows);
  const name = (value: number) => (group === 'page-bytes' ? sizeName(value) : value.toLocaleString('en'));
  const cells = seriesOf(rows).flatMap((series) =>
    namesOf(rows).flatMap((variant) => {
      const found = values.map((value) => cellAt(rows, series, value, variant));
      const first = found.find((item) => item !== undefined);
      if (first === undefined) return [];
      const base = summaryOf(first).median;
      const touches = rows.find(({ place }) => place?.series === series)?.touches ?? 'not at all';
      const medians = found.map((item) => (item === undefined ? Number.NaN : summaryOf(item).median));
      const shown = medians.map((median) =>
        Number.isNaN(median) ? '' : `${formatNs(median)} (${(median / base).toFixed(2)})`,
      );
      return [[series, variant, ...(group === 'contention' || group === 'ports' ? [] : [touches]), ...shown]];
    }),
  );
  const isTouched = group !== 'contention' && group !== 'ports';
  const head = ['operation', 'engine', ...(isTouched ? ['bytes touched'] : []), ...values.map(name)];
  return markdown(head, cells, isTouched ? 3 : 2) + notesOf(rows);
}
