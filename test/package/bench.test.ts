// The bench itself: a quick run of one row leaves figures and a page, budgets are judged by figures, and
// docs/performance.md is what the generator makes of the results that are kept. bench.long.test.ts runs every row.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { readResults } from '../../bench/harness/files.js';
import { appendHistory, readHistory } from '../../bench/harness/history.js';
import { loadRefusal } from '../../bench/harness/machine.js';
import type { Results, Round, RowResult } from '../../bench/harness/results.js';
import { marginPercent, quantileOf, ratioOf } from '../../bench/harness/statistics.js';
import { budgets, historyEntry, judge, judgedRun } from '../../bench/report/budgets.js';
import { engineLossesOf, lossesOf } from '../../bench/report/losses.js';
import { budgetTable, explanationList } from '../../bench/report/tables.js';
import { runTs } from './support/run-ts.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a quick run', () => {
  const docs = join(folder, 'quick');

  test('of one row writes its results, and the page made from them has every budget', async () => {
    const to = ['--results', folder, '--docs', docs, '--name', 'quick'];
    const row = ['--case', 'fast.pair'];
    const output = await runTs('--expose-gc', 'bench/main.ts', '--quick', '--write', ...row, ...to);
    expect(output).toContain('01 fast path');
    expect(readResults(join(folder, 'quick.json')).rows.map(({ id }) => id)).toEqual(['fast.pair']);
    const page = readFileSync(join(docs, 'performance.md'), 'utf8');
    for (const { id } of budgets) expect(page).toContain(`(\`${id}\`)`);
    expect(page).toContain('**Provisional:**');
  });

  test('refuses rows that do not exist', async () => {
    const refused = runTs('bench/main.ts', '--quick', '--case', 'no such row', '--results', folder);
    await expect(refused).rejects.toThrow("--case=no such row (expected part of a row's id, group or name)");
  });

  test('runs one case alone in the main thread', async () => {
    const isolated = ['bench/main.ts', '--isolate', '--case', 'fast.pair', '--seconds', '1', '--engine'];
    expect(await runTs(...isolated, 'typescript')).toMatch(/^fast\.pair, typescript: \d+\.\d\d ns a pair/);
    await expect(runTs('bench/main.ts', '--isolate', '--case', 'fast')).rejects.toThrow('exactly one row');
  });
});

test('docs/performance.md and its plots are what the generator makes of the kept results', async () => {
  const docs = join(folder, 'docs');
  await runTs('bench/report/main.ts', '--docs', docs);
  for (const name of readdirSync(docs, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(?:md|svg)$/.test(name)) continue;
    expect(readFileSync(join(root, 'docs', name), 'utf8'), name).toBe(readFileSync(join(docs, name), 'utf8'));
  }
  expect(readdirSync(join(docs, 'plots')).sort()).toEqual(readdirSync(join(root, 'docs/plots')).sort());
});

/** Rounds of these medians. */
const rounds = (...medians: number[]): Round[] => medians.map((median) => ({ median, p99: median, samples: 1 }));

function row(id: string, group: RowResult['group'], variants: Record<string, Round[]>): RowResult {
  return {
    id,
    group,
    name: id,
    per: 'pair',
    variants: Object.entries(variants).map(([name, all]) => ({ name, rounds: all })),
  };
}

function results(...rows: RowResult[]): Results {
  const machine = {
    processor: '',
    cores: 2,
    memoryGib: 1,
    load: 0,
    system: '',
    runtime: 'Node',
    commit: '',
    flags: [],
    native: '',
  };
  const settings = { profile: 'full', rounds: 3, roundMs: 1, warmUpMs: 1, sampleUs: 0 } as const;
  return { format: 1, date: '', seconds: 0, machine, settings, rows };
}

const verdictOf = (all: Results, id: string) => judge(all).find((line) => line.id === id);

describe('a budget', () => {
  const pair = (wasm: number) =>
    results(row('fast.pair', 'fast', { wasm: rounds(wasm), 'DPDK rte_mempool': rounds(5) }));

  test.each([
    [6, 'met, and the aim', '1.2 ×'],
    [8, 'met', '1.6 ×'],
    [9, 'missed', '1.8 ×'],
  ])('of two times 5 ns is judged at %d ns', (wasm, verdict, result) => {
    expect(verdictOf(pair(wasm), 'pair')).toMatchObject({ verdict, result, bar: 'at most 1.7 ×' });
  });

  test('that asks for a factor at least is missed below it', () => {
    const handoff = (wasm: number) =>
      verdictOf(
        results(
          row('handoff.rate.only.2048', 'handoff-rate', { wasm: rounds(wasm), 'postMessage, copied': rounds(2000) }),
        ),
        'handoff.single.copied',
      )?.verdict;
    expect(handoff(100)).toBe('met');
    expect(handoff(101)).toBe('missed');
  });

  test('without figures is not measured', () => {
    expect(new Set(judge(results()).map(({ verdict }) => verdict))).toEqual(new Set(['not measured']));
  });

  test('of collections counts what the empty loop did not see', () => {
    const garbage = (collections: number) => ({
      operations: 10_000_000,
      collections,
      heapBytesPerOperation: 0,
      externalBytesPerOperation: 0,
    });
    const withGarbage = (id: string, name: string, collections: number): RowResult => ({
      ...row(id, 'garbage', {}),
      variants: [{ name, rounds: [], garbage: garbage(collections) }],
    });
    const all = (ours: number) =>
      results(withGarbage('garbage.numbers', 'wasm', ours), withGarbage('baseline.loop', 'baseline', 1));
    expect(verdictOf(all(1), 'garbage.wasm')?.verdict).toBe('met');
    expect(verdictOf(all(2), 'garbage.wasm')?.verdict).toBe('missed');
  });

  test('that is missed shows its explanation, and one that is met does not', () => {
    const explanations = new Map([['pair', 'Because.']]);
    const shown = (...wasm: number[]) => explanationList(wasm.map(pair).map(judgedRun), explanations);
    expect(shown(11)).toContain('Because.');
    expect(shown(8)).toBe('No budget is missed.');
    expect(shown(8, 11)).toContain('Because.');
  });

  test('has a column for each Node, and is missed where one of them misses it', () => {
    const on = (major: number, wasm: number) => {
      const all = pair(wasm);
      return judgedRun({ ...all, machine: { ...all.machine, runtime: `Node v${major}.1.0, V8 1` } });
    };
    const table = (...wasm: [number, number]) =>
      budgetTable(on(20, wasm[0]), [on(26, wasm[1])])
        .split('\n')
        .filter((line) => /budget \||`pair`/.test(line))
        .map((line) => line.split(' | ').slice(3).join(' | '));
    expect(table(8, 9)).toEqual([
      'Node 20 | Node 26 | figure, Node 20 | verdict |',
      '1.6 × | 1.8 × | 8.00 ns against 5.00 ns | met, **missed on Node 26** |',
    ]);
    expect(table(9, 8)[1]).toBe('1.8 × | 1.6 × | 9.00 ns against 5.00 ns | **missed** |');
  });
});

describe('a reference run', () => {
  test('does not begin on a machine that does something else', () => {
    expect(loadRefusal(0.5)).toBeNull();
    expect(loadRefusal(0.51)).toBe(
      '--write failed: the load average is 0.51 (expected at most 0.5); wait until nothing else runs on this machine',
    );
  });

  test('is kept in the history by what it measured, once a commit and runtime', () => {
    const history = mkdtempSync(join(folder, 'history-'));
    const entry = (commit: string, wasm: number) => {
      const all = results(row('fast.pair', 'fast', { wasm: rounds(wasm), 'DPDK rte_mempool': rounds(5) }));
      return historyEntry({ ...all, machine: { ...all.machine, commit } });
    };
    expect(readHistory(history)).toEqual([]);
    for (const [commit, ns] of [['a', 10] as const, ['b', 8] as const, ['a', 9] as const]) {
      appendHistory(history, entry(commit, ns));
    }
    expect(readHistory(history).map(({ commit, measured }) => [commit, measured])).toEqual([
      ['b', { pair: 1.6 }],
      ['a', { pair: 1.8 }],
    ]);
  });
});

describe('losses', () => {
  const rows = results(
    row('fast.pair', 'fast', { wasm: rounds(10), typescript: rounds(9), other: rounds(8), slow: rounds(11) }),
    row('baseline.loop', 'baseline', { baseline: rounds(1) }),
  );

  test('are all that was faster than a Wasm variant, and nothing else', () => {
    expect(lossesOf(rows).map(({ other, ours }) => [other, ours[0]?.ratio])).toEqual([['other', 1.25]]);
    expect(engineLossesOf(rows).map(({ other }) => other)).toEqual(['typescript']);
  });
});

describe('statistics', () => {
  test('take ratios round by round', () => {
    // The machine was ten times slower in the second round: for both.
    expect(ratioOf({ name: 'a', rounds: rounds(2, 20, 2) }, { name: 'b', rounds: rounds(1, 10, 1) })).toBe(2);
  });

  test('interpolate quantiles and know the spread of few rounds', () => {
    expect(quantileOf([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantileOf([1, 2, 3], 1)).toBe(3);
    expect(marginPercent([10])).toBeNull();
    // Mean 10, standard deviation 1, three values: 4.303 / sqrt(3).
    expect(marginPercent([9, 10, 11])).toBeCloseTo(24.84, 1);
  });
});
