// The budgets of flow: what records, calls and waits may cost, in ratios of one run. Nothing here is a figure of a run.

import Table from 'cli-table3';
import { formatNs } from '../harness/format.js';
import type { Round } from '../harness/results.js';
import { medianOf } from '../harness/statistics.js';
import type { Budget, Verdict } from './budgets.js';
import { findVariant, ratioOfRounds, type Source } from './measures.js';

type Figure = (round: Round) => number | null | undefined;

const processor: Figure = (round) => round.processor;
const median: Figure = (round) => round.median;
const p99: Figure = (round) => round.p99;

/** A figure of `a` against that of `b`, round by round. */
function ratio(a: Source, b: Source, figure: Figure): Budget['measure'] {
  return (results) => {
    const value = ratioOfRounds(results, a, b, figure);
    if (value === undefined) return undefined;
    const middle = ([id, name]: Source): string =>
      formatNs(medianOf(findVariant(results, id, name)?.rounds.map((round) => figure(round) as number) ?? []));
    return { value, figure: `${middle(a)} ns against ${middle(b)} ns` };
  };
}

/** The median of the rounds, in milliseconds. */
function milliseconds([id, name]: Source): Budget['measure'] {
  return (results) => {
    const rounds = findVariant(results, id, name)?.rounds;
    if (rounds === undefined || rounds.length === 0) return undefined;
    const all = rounds.map((round) => round.median / 1e6);
    return { value: medianOf(all), figure: `${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)} ms` };
  };
}

const OTHER = 'other build';
const blocked = (variant: string): Source => ['flow.blocked', variant];
const demo = (bytes: number, variant: string): Source => [`demo.${bytes}`, variant];

const records = (['record.text', 'record.turns'] as const).flatMap((id): Budget[] => [
  {
    id: `flow.${id}`,
    operation: `RecordWriter against thread-stream, ${id === 'record.text' ? 'as fast as they go' : 'in turns of the event loop'}: processor time a record`,
    bar: 0.25,
    unit: '×',
    measure: ratio([id, 'wasm'], [id, 'thread-stream'], processor),
  },
  {
    id: `flow.${id}.each`,
    operation: 'the same, where the reader looks at each record, which thread-stream does not',
    bar: 0.25,
    unit: '×',
    measure: ratio([id, 'wasm, read one by one'], [id, 'thread-stream'], processor),
  },
]);

const calls = (['in place', 'reply taken along'] as const).map(
  (way): Budget => ({
    id: `flow.call.${way.split(' ')[0]}`,
    operation: `a call of 2 KiB, ${way}, against piscina, copied: processor time`,
    bar: 0.4,
    unit: '×',
    measure: ratio(['call', `wasm, ${way}`], ['call', 'piscina, copied'], processor),
  }),
);

const demos: Budget[] = [
  {
    id: 'flow.demo.2048',
    operation: 'the demo, two workers, 2 KiB: records a second against copying',
    bar: 3.2,
    isFloor: true,
    unit: '×',
    measure: ratio(demo(2048, 'copy'), demo(2048, 'wasm'), median),
  },
  ...(['copy', 'transfer'] as const).flatMap((other): Budget[] => {
    const name = other === 'copy' ? 'copying' : 'transferring';
    return [
      {
        id: `flow.demo.65536.${other}`,
        operation: `the demo, two workers, 64 KiB: records a second against ${name}`,
        bar: 1.05,
        isFloor: true,
        unit: '×',
        measure: ratio(demo(65_536, other), demo(65_536, 'wasm'), median),
      },
      {
        id: `flow.demo.65536.${other}.processor`,
        operation: `the same: processor time against ${name}`,
        bar: 0.95,
        unit: '×',
        measure: ratio(demo(65_536, 'wasm'), demo(65_536, other), processor),
      },
    ];
  }),
];

export const flowBudgets: readonly Budget[] = [
  ...records,
  {
    id: 'flow.record.lines',
    operation: 'textLines against readline, iterated: processor time a line',
    bar: 0.6,
    unit: '×',
    measure: ratio(['record.lines', 'wasm'], ['record.lines', 'readline, iterated'], processor),
  },
  {
    id: 'flow.record.lines.events',
    operation: "textLines against readline's 'line' events: processor time a line",
    bar: 0.6,
    unit: '×',
    measure: ratio(['record.lines', 'wasm'], ['record.lines', "readline, 'line' events"], processor),
  },
  ...calls,
  ...demos,
  {
    id: 'flow.blocked',
    operation: 'an entry to one of two blocked threads, against the other build: processor time',
    bar: 0.4,
    unit: '×',
    measure: ratio(blocked('wasm'), blocked(OTHER), processor),
  },
  {
    id: 'flow.blocked.p50',
    operation: 'the same: the middle hand-off',
    bar: 1,
    unit: '×',
    measure: ratio(blocked('wasm'), blocked(OTHER), median),
  },
  {
    id: 'flow.blocked.p99',
    operation: 'the same: the slowest of a hundred',
    bar: 1,
    unit: '×',
    measure: ratio(blocked('wasm'), blocked(OTHER), p99),
  },
  ...(['sendAsync', 'waitRoom'] as const).map(
    (way): Budget => ({
      id: `flow.gap.${way}`,
      operation: `longest gap of a 2 ms timer while the thread sends into a full channel, by ${way}`,
      bar: 20,
      unit: 'ms',
      measure: milliseconds(['flow.gap', `wasm, ${way}`]),
    }),
  ),
  {
    id: 'flow.first',
    operation: 'processor time of the first waitRoom of a process, at a full channel of 65,535 entries',
    bar: 1,
    unit: 'ms',
    measure: milliseconds(['flow.first', 'wasm']),
  },
];

/** The budgets on the terminal. */
export function linesOf(verdicts: readonly Verdict[]): string {
  const table = new Table({
    head: ['budget', 'bar', 'measured', 'figure', 'verdict'],
    style: { head: [], border: [], compact: true },
  });
  for (const { id, operation, bar, result, figure, verdict } of verdicts) {
    table.push([`${operation} (${id})`, bar, result, figure, verdict]);
  }
  return table.toString();
}
