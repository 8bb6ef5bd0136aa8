// The budgets: each line's bar and aim, and what was measured. Nothing here is a figure of a run.

import { formatNs } from '../harness/format.js';
import type { HistoryEntry } from '../harness/history.js';
import type { Facts, Results } from '../harness/results.js';
import { findVariant, nsOf, ratioBetween, type Source } from './measures.js';

/** One line of the table of budgets, judged. */
export interface Verdict {
  readonly id: string;
  readonly operation: string;
  readonly bar: string;
  readonly aim: string;
  readonly figure: string;
  /** What the bar is compared with, and as a number; null where it was not measured. */
  readonly result: string;
  readonly value: number | null;
  readonly verdict: 'met, and the aim' | 'met' | 'missed' | 'not measured';
}

export interface Budget {
  readonly id: string;
  readonly operation: string;
  readonly bar: number;
  readonly aim?: number;
  /** Whether more is better. */
  readonly isFloor?: boolean;
  /** How the bar and the result are written. */
  readonly unit: string;
  measure(results: Results): { readonly value: number; readonly figure: string } | undefined;
}

const DPDK_POOL = 'DPDK rte_mempool';
const DPDK_RING = 'DPDK rte_ring';
const PAIR: Source = ['fast.pair', 'wasm'];

/** How much longer `a` takes than `b`. */
function ratio(a: Source, b: Source): Budget['measure'] {
  return (results) => {
    const value = ratioBetween(results, a, b);
    if (value === undefined) return undefined;
    const [x, y] = [nsOf(results, a), nsOf(results, b)] as [number, number];
    return { value, figure: `${formatNs(x)} ns against ${formatNs(y)} ns` };
  };
}

/** Collections that the number calls caused beyond what the empty loop saw. */
function collections(variant: string): Budget['measure'] {
  return (results) => {
    const garbage = findVariant(results, 'garbage.numbers', variant)?.garbage;
    const control = findVariant(results, 'baseline.loop', 'baseline')?.garbage;
    if (garbage === undefined || control === undefined) return undefined;
    const figure = `${garbage.collections} in ${(garbage.operations / 1e6).toFixed(1)} million calls, ${control.collections} in the empty loop`;
    return { value: Math.max(0, garbage.collections - control.collections), figure };
  };
}

const FIXED_CONTROL_BYTES = 32 * 1024;

/** The largest share of a page among the pools that were planned. */
function controlBytes({ facts }: Results): { value: number; figure: string } | undefined {
  if (facts === undefined) return undefined;
  const shares = facts.control.map(({ pageCount, controlBytes }) => (controlBytes - FIXED_CONTROL_BYTES) / pageCount);
  const figure = facts.control
    .map(({ pageCount }, i) => `${Math.max(0, shares[i] as number).toFixed(1)} of ${pageCount.toLocaleString('en')}`)
    .join(', ');
  return { value: Math.max(0, ...shares), figure: `${figure} pages` };
}

const kilobytes =
  (pick: (facts: Facts) => number): Budget['measure'] =>
  ({ facts }) =>
    facts && { value: pick(facts) / 1024, figure: `${pick(facts).toLocaleString('en')} bytes` };

/** How much longer the other way takes, hand-off alone. */
function handoff(ours: 'wasm' | 'wasm, bursts', theirs: 'copied' | 'transferred', bar: number, aim?: number): Budget {
  const row = 'handoff.rate.only.2048';
  const isSingle = ours === 'wasm';
  const [one, other]: [Source, Source] = [
    [row, ours],
    [row, `postMessage, ${theirs}`],
  ];
  return {
    id: `handoff.${isSingle ? 'single' : 'bursts'}.${theirs}`,
    operation: `2 KiB to a worker, ${isSingle ? 'one by one' : 'in bursts'}, against postMessage, ${theirs}`,
    bar,
    ...(aim === undefined ? {} : { aim }),
    isFloor: true,
    unit: '×',
    measure: (results) => {
      const value = ratioBetween(results, other, one);
      if (value === undefined) return undefined;
      const [x, y] = [nsOf(results, one), nsOf(results, other)] as [number, number];
      return { value, figure: `${formatNs(x)} ns against ${formatNs(y)} ns` };
    },
  };
}

export const budgets: readonly Budget[] = [
  {
    id: 'pair',
    operation: 'alloc + release of a page, against rte_mempool get + put',
    bar: 1.7,
    aim: 1.3,
    unit: '×',
    measure: ratio(PAIR, ['fast.pair', DPDK_POOL]),
  },
  {
    id: 'burst',
    operation: 'bursts of 64 on words(), handles read, a page, against 64 gets and 64 puts of rte_mempool',
    bar: 0.8,
    aim: 0.5,
    unit: '×',
    measure: ratio(['fast.burst.words', 'wasm'], ['fast.burst.words', DPDK_POOL]),
  },
  {
    id: 'pools',
    operation: 'the pair with four pools in turn, against one pool',
    bar: 1.4,
    aim: 1.1,
    unit: '×',
    measure: ratio(['fast.pools.four', 'wasm'], PAIR),
  },
  {
    id: 'few',
    operation: '8 pages held of 64 with 16 ports, against 8 of 4,096',
    bar: 1.5,
    aim: 1.2,
    unit: '×',
    measure: ratio(['fast.few.64', 'wasm'], ['fast.few.4096', 'wasm']),
  },
  {
    id: 'fragment',
    operation: 'alloc + release of a 256 B fragment, against the page pair',
    bar: 1.4,
    aim: 1.2,
    unit: '×',
    measure: ratio(['fragment.alone', 'wasm'], PAIR),
  },
  {
    id: 'retain',
    operation: 'retain + release of a page, against the page pair',
    bar: 1.7,
    aim: 1.3,
    unit: '×',
    measure: ratio(['fragment.retain', 'wasm'], PAIR),
  },
  {
    id: 'channel.single',
    operation: 'channel send + receive, single, against the multi-producer rte_ring pair',
    bar: 3,
    aim: 2.2,
    unit: '×',
    measure: ratio(['channel.single', 'wasm'], ['channel.single', DPDK_RING]),
  },
  {
    id: 'channel.burst',
    operation: 'channel bursts of 32 on words(), an entry, against the single multi-producer rte_ring pair',
    bar: 0.45,
    aim: 0.3,
    unit: '×',
    measure: ratio(['channel.burst.words', 'wasm'], ['channel.single', DPDK_RING]),
  },
  {
    id: 'engines.pair',
    operation: 'alloc + release, TypeScript engine against Wasm',
    bar: 1.2,
    aim: 1,
    unit: '×',
    measure: ratio(['fast.pair', 'typescript'], PAIR),
  },
  {
    id: 'engines.channel',
    operation: 'channel send + receive, single, TypeScript engine against Wasm',
    bar: 2,
    aim: 1.5,
    unit: '×',
    measure: ratio(['channel.single', 'typescript'], ['channel.single', 'wasm']),
  },
  handoff('wasm', 'copied', 20, 30),
  handoff('wasm, bursts', 'copied', 25, 30),
  handoff('wasm', 'transferred', 10),
  handoff('wasm, bursts', 'transferred', 10),
  {
    id: 'garbage.wasm',
    operation: 'collections caused by ten million number calls, Wasm',
    bar: 0,
    unit: '',
    measure: collections('wasm'),
  },
  {
    id: 'garbage.typescript',
    operation: 'collections caused by ten million number calls, TypeScript',
    bar: 0,
    unit: '',
    measure: collections('typescript'),
  },
  {
    id: 'control',
    operation: 'control region beyond 32 KiB, 16 ports, a page',
    bar: 64,
    unit: 'B',
    measure: controlBytes,
  },
  {
    id: 'code.core',
    operation: 'core entry, minified and gzipped, Wasm inside',
    bar: 48,
    aim: 40,
    unit: 'KB',
    measure: kilobytes((facts) => facts.coreMinifiedBytes),
  },
  { id: 'code.wasm', operation: 'Wasm core', bar: 16, unit: 'KB', measure: kilobytes((facts) => facts.wasmBytes) },
];

/** Every budget, judged by the results. @param list others than the design's */
export function judge(results: Results, list: readonly Budget[] = budgets): Verdict[] {
  return list.map((budget) => {
    const { id, operation, bar, aim, isFloor = false, unit } = budget;
    const limit = (value: number) => `${isFloor ? 'at least' : 'at most'} ${withUnit(value, unit)}`;
    const line = {
      id,
      operation,
      bar: bar === 0 ? 'none' : limit(bar),
      aim: aim === undefined ? '' : withUnit(aim, unit),
    };
    const measured = budget.measure(results);
    if (measured === undefined) return { ...line, figure: '', result: '', value: null, verdict: 'not measured' };
    const reaches = (wanted: number) => (isFloor ? measured.value >= wanted : measured.value <= wanted);
    const verdict = !reaches(bar) ? 'missed' : aim !== undefined && reaches(aim) ? 'met, and the aim' : 'met';
    const value = round(measured.value, unit);
    return { ...line, figure: measured.figure, result: withUnit(value, unit), value, verdict };
  });
}

/** A run's verdicts, and its Node. */
export interface JudgedRun {
  readonly name: string;
  readonly verdicts: readonly Verdict[];
}

export function judgedRun(results: Results): JudgedRun {
  return { name: nodeOf(results.machine.runtime), verdicts: judge(results) };
}

/** "Node 20", of a machine's `runtime`. */
export function nodeOf(runtime: string): string {
  const [name = ''] = runtime.split('.');
  return name.replace(' v', ' ');
}

/** What the history keeps of a run. */
export function historyEntry(results: Results): HistoryEntry {
  const { commit, processor, runtime } = results.machine;
  const measured = judge(results).flatMap(({ id, value }) => (value === null ? [] : [[id, value] as const]));
  return { commit, date: results.date, processor, runtime, measured: Object.fromEntries(measured) };
}

/** Two places, or none where things are counted. */
function round(value: number, unit: string): number {
  return unit === '' ? value : Number(value.toFixed(2));
}

function withUnit(value: number, unit: string): string {
  return unit === '' ? String(value) : `${value} ${unit}`;
}
