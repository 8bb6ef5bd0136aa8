// The tables of docs/performance.md, each made from results alone.

import { formatCollections, formatHeap, formatNs } from '../harness/format.js';
import { groupIds, groupTitles } from '../harness/groups.js';
import { headerLines, settingsLine } from '../harness/machine.js';
import type { Facts, GroupId, Results, RowResult, VariantResult } from '../harness/results.js';
import { ratioOf, summaryOf } from '../harness/statistics.js';
import type { JudgedRun, Verdict } from './budgets.js';
import { type LockedLine, lockedLines } from './locked.js';
import type { Loss } from './losses.js';

type Align = 'left' | 'right';

/** A Markdown table; the first `leftCount` columns are text. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[], leftCount = 1): string {
  const aligns = head.map((_, i): Align => (i < leftCount ? 'left' : 'right'));
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    `|${aligns.map((align) => (align === 'left' ? '---' : '---:')).join('|')}|`,
    ...rows.map(line),
  ].join('\n');
}

export function machineList(results: Results, others: readonly Results[]): string {
  const beside = others.map(
    ({ date, machine: { runtime, commit, processor, load } }) =>
      `beside it, a run on ${runtime}; ${processor}, load average ${load} at the start; commit ${commit}; ${date}`,
  );
  return [...headerLines(results), ...beside].map((text) => `- ${text}`).join('\n');
}

/** The first run with its figure, and what the others measured. */
export function budgetTable(first: JudgedRun, others: readonly JudgedRun[]): string {
  const head = [
    'budget',
    'bar',
    'aim',
    first.name,
    ...others.map(({ name }) => name),
    `figure, ${first.name}`,
    'verdict',
  ];
  const cells = first.verdicts.map(({ id, operation, bar, aim, result, figure, verdict }, i) => {
    const all = others.map(({ name, verdicts }) => ({ name, ...(verdicts[i] as Verdict) }));
    const isMissed = verdict === 'missed';
    const missed = all.filter((each) => each.verdict === 'missed').map(({ name }) => name);
    const elsewhere = isMissed || missed.length === 0 ? '' : `, **missed on ${missed.join(', ')}**`;
    return [
      `${operation} (\`${id}\`)`,
      bar,
      aim,
      result,
      ...all.map((each) => each.result),
      figure,
      isMissed ? '**missed**' : `${verdict}${elsewhere}`,
    ];
  });
  return markdown(head, cells, head.length);
}

/** What any of the runs missed. */
export function missedBudgets(runs: readonly JudgedRun[]): Verdict[] {
  const missed = runs.flatMap(({ verdicts }) => verdicts.filter(({ verdict }) => verdict === 'missed'));
  return [...new Map(missed.map((each) => [each.id, each])).values()];
}

/** What is said about each missed budget. */
export function explanationList(runs: readonly JudgedRun[], explanations: ReadonlyMap<string, string>): string {
  const missed = missedBudgets(runs);
  if (missed.length === 0) return 'No budget is missed.';
  return missed
    .map(({ id, operation }) => `**\`${id}\`: ${operation}.**\n${explanations.get(id) ?? 'Not explained yet.'}`)
    .join('\n\n');
}

export function lockedTable(facts: Facts): string {
  const lines = lockedLines(facts).map(({ operation, budget, binary }: LockedLine) => [operation, budget, binary]);
  return markdown(['operation', 'budget, usual path', 'in the binary, every branch'], lines, 3);
}

export function controlTable(facts: Facts): string {
  const bytes = (value: number) => value.toLocaleString('en');
  return markdown(
    ['pages', 'control region, B', 'a page, B', 'fragment words and extents, B', 'scratch, B'],
    facts.control.map(({ pageCount, controlBytes, wordBytes, scratchBytes }) => [
      bytes(pageCount),
      bytes(controlBytes),
      (controlBytes / pageCount).toFixed(1),
      bytes(wordBytes),
      bytes(scratchBytes),
    ]),
    0,
  );
}

export const members = ({ rows }: Results, group: GroupId) => rows.filter((row) => row.group === group);

/** What stands under a table: the notes of its rows, each once. */
export function notesOf(rows: readonly RowResult[]): string {
  const notes = [...new Set(rows.flatMap(({ note }) => note ?? []))];
  return notes.length === 0 ? '' : `\n\n${notes.join(' ')}`;
}

/** The pools of rows that do not have the default one, by their options. */
function poolsOf(rows: readonly RowResult[]): string {
  const byOptions = new Map<string, string[]>();
  for (const { id, pool } of rows) {
    if (pool === undefined) continue;
    const options = JSON.stringify(pool)
      .replaceAll('"', '')
      .replaceAll(/([:,])/g, '$1 ');
    byOptions.set(options, [...(byOptions.get(options) ?? []), `\`${id}\``]);
  }
  if (byOptions.size === 0) return '';
  const parts = [...byOptions].map(([options, ids]) => `\`${options}\` in ${ids.join(', ')}`);
  return `\n\nPools: ${parts.join('; ')}.`;
}

/** Every variant of every row of a group. */
export function rowTable(results: Results, group: GroupId): string {
  const rows = members(results, group);
  if (rows.length === 0) return `Not measured in this run: \`npm run bench -- --case ${group}\`.`;
  const head = ['operation', 'variant', 'ns', 'p99', '± %', 'samples', 'per second', 'GCs', 'heap B', '/ wasm'];
  const cells = rows.flatMap((row) => row.variants.map((variant, i) => variantCells(row, variant, i === 0)));
  return markdown(head, cells, 2) + notesOf(rows) + poolsOf(rows);
}

function variantCells(row: RowResult, variant: VariantResult, isFirst: boolean): string[] {
  const { median, p99, marginPercent, samples, perSecond } = summaryOf(variant);
  const wasm = row.variants.find(({ name }) => name === 'wasm');
  const { garbage } = variant;
  return [
    isFirst ? `${row.name} (${row.per})` : '',
    variant.name,
    formatNs(median),
    p99 === null ? '' : formatNs(p99),
    marginPercent === null ? '' : marginPercent.toFixed(1),
    samples.toLocaleString('en'),
    Math.round(perSecond).toLocaleString('en'),
    garbage === undefined ? '' : formatCollections(garbage),
    garbage === undefined ? '' : formatHeap(garbage),
    wasm === undefined || wasm === variant ? '' : ratioOf(variant, wasm).toFixed(2),
  ];
}

export function lossTable(losses: readonly Loss[]): string {
  if (losses.length === 0) return 'None.';
  const cells = losses.map(({ row, other, otherNs, ours }) => [
    row.name,
    `${other}: ${formatNs(otherNs)}`,
    ours.map(({ name, ns, ratio }) => `${name}: ${formatNs(ns)} (${ratio.toFixed(2)})`).join('; '),
  ]);
  return markdown(['row', 'faster, ns', 'slower, ns (times as long)'], cells, 3);
}

/** The groups that browsers run, their medians beside those of Node. */
export function browserTables(node: Results, browsers: readonly Results[]): string {
  if (browsers.length === 0) return 'No run in browsers is kept.';
  const runs = [node, ...browsers];
  const shown = groupIds.filter((group) => browsers.some((results) => members(results, group).length > 0));
  const header = browsers.map(
    (results) =>
      `- ${results.machine.runtime}, pagepool at commit ${results.machine.commit}; ${results.date}; ${settingsLine(results)}`,
  );
  const tables = shown.map((group) => {
    const rows = [...new Map(runs.flatMap((results) => members(results, group)).map((row) => [row.id, row])).values()];
    const cells = rows.flatMap((row) => {
      const same = runs.map((results) => results.rows.find(({ id }) => id === row.id));
      const names = [
        ...new Set(
          browsers
            .flatMap(({ rows: all }) => all.find(({ id }) => id === row.id)?.variants ?? [])
            .map(({ name }) => name),
        ),
      ];
      return names.map((name, i) => [
        i === 0 ? `${row.name} (${row.per})` : '',
        name,
        ...same.map((found) => {
          const variant = found?.variants.find((item) => item.name === name);
          return variant === undefined ? '' : formatNs(summaryOf(variant).median);
        }),
      ]);
    });
    const head = ['operation', 'variant', ...runs.map(({ machine }) => machine.runtime.split(',')[0] as string)];
    return `${groupTitles[group]}:\n\n${markdown(head, cells, 2)}`;
  });
  return [header.join('\n'), ...tables].join('\n\n');
}
