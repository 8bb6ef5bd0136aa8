// The last minutes as plots, all with one cursor and one time.

import uPlot from 'uplot';
import type { Look } from '../wire.js';
import { type Colours, laneColour } from './colours.js';
import { bytes, h, panel, short } from './dom.js';
import type { History } from './history.js';
import { ageText, BINARY, DECIMAL, timeTicks, valueTicks } from './ticks.js';

interface Series {
  /** The history's column. */
  readonly column: string;
  readonly colour: string;
}

interface PlotPlan {
  readonly title: string;
  readonly unit: string;
  readonly series: (look: Look) => readonly Series[];
  readonly format: (value: number) => string;
}

const HEIGHT = 132;
/** What a plot shows at least: a young pool does not fill the width with its first second. */
const SPAN_S = 60;

const PLANS: readonly PlotPlan[] = [
  {
    title: 'In flight',
    unit: 'pages',
    series: () => [
      { column: 'in flight', colour: 'plot-1' },
      { column: 'used', colour: 'place-used' },
      { column: 'in channels', colour: 'place-channel' },
    ],
    format: short,
  },
  {
    title: 'Allocations by tier',
    unit: 'a second',
    series: () => [
      { column: 'cache', colour: 'place-cached' },
      { column: 'ring', colour: 'place-ring' },
      { column: 'provider', colour: 'place-retired' },
      { column: 'stolen', colour: 'place-channel' },
      { column: 'found none', colour: 'bad' },
    ],
    format: short,
  },
  {
    title: 'Hand-offs',
    unit: 'a second',
    series: ({ calls, channels }) => [
      ...channels.map(({ name }, i) => ({ column: `channel ${name}`, colour: laneColour(i) })),
      ...calls.map(({ name }, i) => ({ column: `calls ${name}`, colour: laneColour(channels.length + i) })),
    ],
    format: short,
  },
  {
    title: 'Waits',
    unit: 'threads that wait for a page or for room',
    series: () => [{ column: 'waiting threads', colour: 'warn' }],
    format: short,
  },
  {
    title: 'Bytes',
    unit: 'of pages',
    series: () => [
      { column: 'out', colour: 'plot-1' },
      { column: 'held', colour: 'place-used' },
    ],
    format: bytes,
  },
];

interface Drawn {
  readonly plan: PlotPlan;
  readonly box: HTMLElement;
  readonly plot: uPlot;
  readonly columns: readonly string[];
  readonly figures: readonly HTMLElement[];
}

/** All plots. */
export class Plots {
  readonly element: HTMLElement;
  readonly #resized = new ResizeObserver(() => this.#resize());
  readonly #grid: HTMLElement;
  readonly #colours: Colours;
  readonly #history: History;
  #drawn: Drawn[] = [];
  #key = '';

  constructor(colours: Colours, history: History) {
    this.#colours = colours;
    this.#history = history;
    this.#grid = h('div', { class: 'pp-plots-grid' });
    this.element = panel('plots', 'Last minutes', [], this.#grid);
    this.#resized.observe(this.#grid);
  }

  update(look: Look): void {
    const key = PLANS.flatMap(({ series }) => series(look).map(({ column }) => column)).join();
    if (key !== this.#key) {
      this.#key = key;
      this.#make(look);
    }
    for (const { columns, figures, plan, plot } of this.#drawn) {
      const values = columns.map((column) => this.#history.columns.get(column) ?? []);
      plot.setData([this.#history.at, ...values] as uPlot.AlignedData);
      for (const [i, figure] of figures.entries()) figure.textContent = plan.format(values[i]?.at(-1) ?? 0);
    }
  }

  /** Draws again: the colours have changed. */
  redraw(): void {
    for (const { plot } of this.#drawn) plot.redraw();
  }

  /** Lets go of what the browser has of it. */
  end(): void {
    this.#resized.disconnect();
    for (const { plot } of this.#drawn) plot.destroy();
    this.#drawn = [];
  }

  #make(look: Look): void {
    for (const { plot } of this.#drawn) plot.destroy();
    this.#grid.replaceChildren();
    this.#drawn = PLANS.filter(({ series }) => series(look).length > 0).map((plan) => {
      const series = plan.series(look);
      const figures = series.map(() => h('b', {}, '0'));
      const legend = h('ul', { class: 'pp-legend' });
      for (const [i, { colour, column }] of series.entries()) {
        const swatch = h('i', { class: 'pp-swatch' });
        swatch.style.background = `var(--${colour})`;
        legend.append(h('li', {}, swatch, `${column.replace(/^channel /, '')} `, figures[i] as HTMLElement));
      }
      const box = h('div', { class: 'pp-plot-box' });
      const title = h('h3', {}, plan.title, h('small', {}, ` ${plan.unit}`));
      this.#grid.append(h('figure', { class: 'pp-plot' }, h('figcaption', {}, title), box, legend));
      const plot = new uPlot(this.#options(plan, series, box), [[]] as unknown as uPlot.AlignedData, box);
      return { plan, box, plot, columns: series.map(({ column }) => column), figures };
    });
  }

  #options(plan: PlotPlan, series: readonly Series[], box: HTMLElement): uPlot.Options {
    const colour = (name: string) => (): string => this.#colours.get(name);
    const axis = { stroke: colour('muted'), font: '11px system-ui', ticks: { show: false } };
    const grid = { stroke: colour('line'), width: 1 };
    const distances = plan.format === bytes ? BINARY : DECIMAL;
    return {
      width: box.clientWidth || 300,
      height: HEIGHT,
      padding: [8, 14, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: 'pagepool' }, points: { size: 5 }, drag: { x: false, y: false } },
      scales: {
        x: {
          time: false,
          range: ({ data: [at] }) => [Math.min(at[0] ?? 0, (at.at(-1) ?? 0) - SPAN_S), at.at(-1) ?? 0],
        },
        y: { range: (_, __, max) => [0, valueTicks(max ?? 0, distances).at(-1) as number] },
      },
      axes: [
        {
          ...axis,
          size: 24,
          grid: { show: false },
          splits: (_, __, first, last) => timeTicks(first, last),
          values: (_, splits) => splits.map((at) => ageText((splits.at(-1) as number) - at)),
        },
        {
          ...axis,
          size: 56,
          grid,
          splits: (_, __, ___, max) => valueTicks(max, distances),
          values: (_, splits) => splits.map((value) => plan.format(value)),
        },
      ],
      series: [
        {},
        ...series.map(({ colour: name, column }, i) => ({
          label: column,
          stroke: colour(name),
          width: 1.5,
          points: { show: false },
          ...(i === 0 ? { fill: () => `${this.#colours.get(name)}22` } : {}),
        })),
      ],
    };
  }

  #resize(): void {
    for (const { box, plot } of this.#drawn) {
      if (box.clientWidth > 0 && box.clientWidth !== plot.width)
        plot.setSize({ width: box.clientWidth, height: HEIGHT });
    }
  }
}
