// The plots of docs/performance.md, as SVG.

import * as echarts from 'echarts';
import { sizeName } from '../harness/format.js';
import type { HistoryEntry } from '../harness/history.js';
import type { GroupId, Results, RowResult } from '../harness/results.js';
import { summaryOf } from '../harness/statistics.js';
import { type Budget, budgets, nodeOf } from './budgets.js';

const WIDTH = 960;
const COLOURS = [
  '#1b6ca8',
  '#d1495b',
  '#3c8d40',
  '#b8860b',
  '#6a4c93',
  '#2a9d8f',
  '#8d5524',
  '#00a1d6',
  '#5f6b76',
  '#7fb069',
  '#e07a1f',
  '#264653',
];

/** A name and its SVG. */
export type Plot = readonly [name: string, svg: string];

export function plotsOf(results: Results, history: readonly HistoryEntry[]): Plot[] {
  const plots: (Plot | undefined)[] = [
    operations(results),
    historyLines(history),
    lines(results, {
      name: 'handoff-rate',
      group: 'handoff-rate',
      title: 'A message handed to another thread',
      x: 'bytes',
      nameOf: sizeName,
      panels: ['hand-off only', 'filled and read'],
      lineOf: (_row, variant) => variant,
      panelOf: (row) => row.place?.series ?? '',
      wants: (variant) => !/^typescript/.test(variant),
    }),
    lines(results, {
      name: 'handoff-latency',
      group: 'handoff-latency',
      title: 'A message there and back, median',
      x: 'bytes',
      nameOf: sizeName,
      panels: ['hand-off only', 'filled and read'],
      lineOf: (_row, variant) => variant,
      panelOf: (row) => row.place?.series ?? '',
      wants: (variant) => !/^typescript/.test(variant),
    }),
    ...(['pages', 'page-bytes'] as const).map((group) =>
      lines(results, {
        name: group,
        group,
        title: group === 'pages' ? 'Cost against the number of pages' : 'Cost against the size of pages',
        x: group === 'pages' ? 'pages' : 'bytes of a page',
        panels: ['wasm', 'typescript'],
        lineOf: (row) => row.place?.series ?? '',
        panelOf: (_row, variant) => variant,
        wants: () => true,
        nameOf: group === 'pages' ? (value) => value.toLocaleString('en') : sizeName,
      }),
    ),
    lines(results, {
      name: 'contention',
      group: 'contention',
      title: 'Several threads on one pool: time between two operations of all together',
      x: 'threads',
      panels: ['wasm', 'typescript'],
      lineOf: (row) => row.place?.series ?? '',
      panelOf: (_row, variant) => variant,
      wants: () => true,
      nameOf: String,
    }),
  ];
  return plots.filter((plot) => plot !== undefined);
}

interface LinePlot {
  readonly name: string;
  readonly group: GroupId;
  readonly title: string;
  readonly x: string;
  readonly panels: readonly [string, string];
  lineOf(row: RowResult, variant: string): string;
  panelOf(row: RowResult, variant: string): string;
  wants(variant: string): boolean;
  nameOf(value: number): string;
}

/** What is compared with pagepool is dashed. */
const isOther = (name: string) => /^(?:postMessage|ringbuf|Atomics)/.test(name);

/** Two panels side by side: nanoseconds, logarithmic, against sizes. */
function lines({ rows }: Results, plot: LinePlot): Plot | undefined {
  const names = new Set<string>();
  const points = new Map<string, [number, number][]>();
  for (const row of rows.filter(({ group }) => group === plot.group)) {
    for (const variant of row.variants.filter(({ name }) => plot.wants(name))) {
      const panel = plot.panels.indexOf(plot.panelOf(row, variant.name));
      if (panel < 0 || row.place === undefined) continue;
      const name = plot.lineOf(row, variant.name);
      names.add(name);
      const key = `${panel}${name}`;
      points.set(key, [
        ...(points.get(key) ?? []),
        [row.place.value, Number(summaryOf(variant).median.toPrecision(4))],
      ]);
    }
  }
  if (names.size === 0) return undefined;
  const all = [...points.values()].flat();
  const values = [...new Set(all.map(([x]) => x))].sort((a, b) => a - b);
  const decade = (round: (power: number) => number, value: number) => 10 ** round(Math.log10(value));
  const range = {
    min: decade(Math.floor, Math.min(...all.map(([, y]) => y))),
    max: decade(Math.ceil, Math.max(...all.map(([, y]) => y))),
  };
  const xAxis = {
    type: 'category' as const,
    name: plot.x,
    nameLocation: 'middle' as const,
    nameGap: 26,
    boundaryGap: false,
  };
  const height = 350 + 24 * Math.ceil(names.size / 2);
  return [
    plot.name,
    draw(plot.title, height, {
      title: [
        { text: plot.title, left: 'center', top: 6, textStyle: { fontSize: 15 } },
        ...plot.panels.map((text, i) => ({
          text,
          left: `${27 + 49 * i}%`,
          top: 34,
          textAlign: 'center' as const,
          textStyle: { fontSize: 12 },
        })),
      ],
      legend: { bottom: 4, data: [...names], textStyle: { fontSize: 11 } },
      grid: plot.panels.map((_, i) => ({ left: `${7 + 49 * i}%`, width: '41%', top: 70, height: 240 })),
      xAxis: plot.panels.map((_, gridIndex) => ({ ...xAxis, gridIndex, data: values.map((x) => plot.nameOf(x)) })),
      yAxis: plot.panels.map((_, gridIndex) => ({ type: 'log' as const, name: 'ns', gridIndex, ...range })),
      series: [...names].flatMap((name, i) =>
        plot.panels.map((_, panel) => {
          const line = new Map(points.get(`${panel}${name}`));
          return {
            type: 'line' as const,
            name,
            xAxisIndex: panel,
            yAxisIndex: panel,
            color: COLOURS[i % COLOURS.length] as string,
            symbolSize: 6,
            lineStyle: { type: isOther(name) ? ('dashed' as const) : ('solid' as const) },
            data: values.map((x) => line.get(x) ?? null),
          };
        }),
      ),
    }),
  ];
}

const HISTORY_TITLE = 'Budgets of time over the reference runs: what was measured, divided by the bar (below 1 is met)';
/** A ratio whose bar asks for at least as much is turned round: below 1 is met in all lines. */
const overBar = ({ bar, isFloor = false }: Budget, value: number): number => (isFloor ? bar / value : value / bar);

/** A line a budget: how far each run was from its bar. */
function historyLines(history: readonly HistoryEntry[]): Plot | undefined {
  const shown = budgets.filter(({ id, unit }) => unit === '×' && history.some(({ measured }) => id in measured));
  if (shown.length === 0) return undefined;
  const rows = Math.ceil(shown.length / 4);
  return [
    'history',
    draw(HISTORY_TITLE, 340 + 24 * rows, {
      title: { text: HISTORY_TITLE, left: 'center', top: 6, textStyle: { fontSize: 15 } },
      legend: { bottom: 4, data: shown.map(({ id }) => id), textStyle: { fontSize: 11 } },
      grid: { left: 60, right: 40, top: 50, height: 220 },
      xAxis: {
        type: 'category',
        data: history.map(({ commit, date, runtime }) => `${date}\n${commit.slice(0, 7)}\n${nodeOf(runtime)}`),
      },
      yAxis: { type: 'log', name: 'of the bar' },
      series: shown.map((budget, i) => ({
        type: 'line' as const,
        name: budget.id,
        color: COLOURS[i % COLOURS.length] as string,
        symbolSize: 6,
        markLine: i > 0 ? undefined : { silent: true, symbol: 'none', data: [{ yAxis: 1 }], label: { show: false } },
        data: history.map(({ measured }) => {
          const value = measured[budget.id];
          return value === undefined ? null : Number(overBar(budget, value).toPrecision(3));
        }),
      })),
    }),
  ];
}

const OPERATIONS_TITLE = 'Operations of one thread, nanoseconds';
const OPERATION_GROUPS: readonly GroupId[] = ['fast', 'ring', 'channel', 'fragment'];
/** What the bars show: a name and the variants that it stands for. */
const BARS: readonly [name: string, variants: readonly string[]][] = [
  ['DPDK', ['DPDK rte_mempool', 'DPDK rte_ring']],
  ['ringbuf.js, @thi.ng/malloc', ['ringbuf.js', '@thi.ng/malloc']],
  ['typescript', ['typescript']],
  ['wasm', ['wasm']],
];
/** Where bars begin: below everything. */
const BAR_START_NS = 0.1;

/** Bars of the operations of one thread. */
function operations({ rows }: Results): Plot | undefined {
  const shown = rows.filter(({ group }) => OPERATION_GROUPS.includes(group)).reverse();
  if (shown.length === 0) return undefined;
  return [
    'operations',
    draw(OPERATIONS_TITLE, 110 + 46 * shown.length, {
      title: { text: OPERATIONS_TITLE, left: 'center', top: 6, textStyle: { fontSize: 15 } },
      legend: { bottom: 4, data: BARS.map(([name]) => name).reverse() },
      grid: { left: 380, right: 60, top: 44, bottom: 64 },
      xAxis: { type: 'log', min: BAR_START_NS, startValue: BAR_START_NS, name: 'ns' },
      yAxis: { type: 'category', data: shown.map((row) => row.name), axisLabel: { fontSize: 11 } },
      series: BARS.map(([name, variants], i) => ({
        type: 'bar' as const,
        name,
        color: COLOURS[BARS.length - 1 - i] as string,
        label: { show: true, position: 'right' as const, fontSize: 9 },
        data: shown.map((row) => {
          const variant = row.variants.find((item) => variants.includes(item.name));
          return variant === undefined ? null : Number(summaryOf(variant).median.toPrecision(3));
        }),
      })),
    }),
  ];
}

function draw(title: string, height: number, option: echarts.EChartsCoreOption): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({ animation: false, backgroundColor: '#fff', ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  // Styles are for a pointer over the chart; names are counted on from chart to chart, and the same plot is to have the
  // same text.
  const still = svg
    .replace(/<style[\s\S]*?<\/style>\n?/, '')
    .replaceAll(/ class="[^"]*"/g, '')
    .replaceAll(/\bzr\d+-/g, 'zr-');
  return still.replace('>', `>\n<title>${title}</title>`);
}
