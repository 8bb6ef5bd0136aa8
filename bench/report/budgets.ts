// The budgets of the design: each line's bar and aim, and what was measured. Nothing here is a figure of a run.

import { formatNs } from '../harness/format.js';
import type { Facts, GroupId, Results } from '../harness/results.js';
import { ratioOf } from '../harness/statistics.js';
import { differenceBetween, findVariant, nsOf, ratioBetween, type Source } from './measures.js';

/** One line of the table of budgets, judged. */
export interface Verdict {
  readonly id: string;
  readonly operation: string;
  readonly bar: string;
  readonly aim: string;
  readonly figure: string;
  /** What the bar is compared with. */
  readonly result: string;
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
const BURST: Source = ['fast.burst.words', 'wasm'];

/** How much longer `a` takes than `b`. */
function ratio(a: Source, b: Source): Budget['measure'] {
  return (results) => {
    const value = ratioBetween(results, a, b);
    if (value === undefined) return undefined;
    const [x, y] = [nsOf(results, a), nsOf(results, b)] as [number, number];
    return { value, figure: `${formatNs(x)} ns against ${formatNs(y)} ns` };
  };
}

function nanoseconds(source: Source): Budget['measure'] {
  return (results) => {
    const value = nsOf(results, source);
    return value === undefined ? undefined : { value, figure: `${formatNs(value)} ns` };
  };
}

/** The row of the groups where TypeScript is nearest to Wasm, or ahead. */
function worstEngineRatio(...groups: GroupId[]): Budget['measure'] {
  return ({ rows }) => {
    let worst: { value: number; figure: string } | undefined;
    for (const row of rows.filter(({ group }) => groups.includes(group))) {
      const wasm = row.variants.find(({ name }) => name === 'wasm');
      const typescript = row.variants.find(({ name }) => name === 'typescript');
      if (wasm === undefined || typescript === undefined) continue;
      const value = ratioOf(typescript, wasm);
      if (worst === undefined || value < worst.value) worst = { value, figure: `worst row: ${row.name}` };
    }
    return worst;
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

/** How much longer the other way takes. */
function handoff(flavour: 'only' | 'filled', ours: string, theirs: string, bar: number): Budget {
  const row = `handoff.rate.${flavour}.2048`;
  const way = ours === 'wasm' ? 'one by one' : 'in bursts';
  const kind = theirs.replace('postMessage, ', '').replace(' ', '-');
  return {
    id: `handoff.${flavour}.${ours === 'wasm' ? 'single' : 'bursts'}.${kind}`,
    operation: `2 KiB to a worker, ${flavour === 'only' ? 'hand-off only' : 'filled and read'}: ${way}, against ${theirs}`,
    bar,
    isFloor: true,
    unit: '×',
    measure: (results) => {
      const value = ratioBetween(results, [row, theirs], [row, ours]);
      if (value === undefined) return undefined;
      const [x, y] = [nsOf(results, [row, ours]), nsOf(results, [row, theirs])] as [number, number];
      return { value, figure: `${formatNs(x)} ns against ${formatNs(y)} ns` };
    },
  };
}

/** Both of ours against a buffer a message, and bursts against arrays of buffers. */
const handoffPairs: readonly [ours: string, theirs: string, bar: number][] = [
  ['wasm', 'postMessage, copied', 20],
  ['wasm', 'postMessage, transferred', 10],
  ['wasm, bursts', 'postMessage, copied', 20],
  ['wasm, bursts', 'postMessage, transferred', 10],
  ['wasm, bursts', 'postMessage, arrays copied', 20],
  ['wasm, bursts', 'postMessage, arrays transferred', 10],
];

export const budgets: readonly Budget[] = [
  {
    id: 'pair',
    operation: 'alloc + release of a page, against rte_mempool get + put',
    bar: 2,
    aim: 1.5,
    unit: '×',
    measure: ratio(PAIR, ['fast.pair', DPDK_POOL]),
  },
  {
    id: 'burst',
    operation: 'bursts of 64 on words(), handles read, a page, against the single pair',
    bar: 0.45,
    aim: 0.3,
    unit: '×',
    measure: ratio(BURST, PAIR),
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
    bar: 1.6,
    unit: '×',
    measure: ratio(['fragment.alone', 'wasm'], PAIR),
  },
  {
    id: 'magazine',
    operation: 'refill or flush of a magazine, a page',
    bar: 1,
    unit: 'ns',
    measure: (results) => {
      const both = differenceBetween(results, ['ring.pages', 'wasm'], BURST);
      if (both === undefined) return undefined;
      return { value: both / 2, figure: `half of what the ring adds to a burst: ${formatNs(both)} ns` };
    },
  },
  {
    id: 'channel.single',
    operation: 'channel send + receive, single, against the multi-producer rte_ring pair',
    bar: 3,
    aim: 2.4,
    unit: '×',
    measure: ratio(['channel.single', 'wasm'], ['channel.single', DPDK_RING]),
  },
  {
    id: 'channel.burst.own',
    operation: 'channel bursts of 32, batch 32, on an own array, an entry',
    bar: 6,
    unit: 'ns',
    measure: nanoseconds(['channel.burst.own', 'wasm']),
  },
  {
    id: 'channel.burst.words',
    operation: 'the same on words(), an entry',
    bar: 4,
    unit: 'ns',
    measure: nanoseconds(['channel.burst.words', 'wasm']),
  },
  {
    id: 'engines',
    operation: 'TypeScript engine against Wasm, same work: never faster',
    bar: 1,
    isFloor: true,
    unit: '×',
    measure: worstEngineRatio('memory', 'fast', 'ring', 'channel', 'slow', 'fragment'),
  },
  {
    id: 'engines.rings',
    operation: 'TypeScript engine against Wasm, ring and channel',
    bar: 2,
    isFloor: true,
    unit: '×',
    measure: worstEngineRatio('ring', 'channel'),
  },
  ...(['only', 'filled'] as const).flatMap((flavour) => handoffPairs.map((pair) => handoff(flavour, ...pair))),
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
    bar: 14,
    unit: 'KB',
    measure: kilobytes((facts) => facts.coreMinifiedBytes),
  },
  { id: 'code.wasm', operation: 'Wasm core', bar: 10, unit: 'KB', measure: kilobytes((facts) => facts.wasmBytes) },
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
    if (measured === undefined) return { ...line, figure: '', result: '', verdict: 'not measured' };
    const reaches = (wanted: number) => (isFloor ? measured.value >= wanted : measured.value <= wanted);
    const verdict = !reaches(bar) ? 'missed' : aim !== undefined && reaches(aim) ? 'met, and the aim' : 'met';
    return { ...line, figure: measured.figure, result: withUnit(round(measured.value, unit), unit), verdict };
  });
}

/** Two places, or none where things are counted. */
function round(value: number, unit: string): number {
  return unit === '' ? value : Number(value.toFixed(2));
}

function withUnit(value: number, unit: string): string {
  return unit === '' ? String(value) : `${value} ${unit}`;
}
