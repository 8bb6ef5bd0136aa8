// What the pages of the examples have in common: errors in words, figures, plots, and the map of a pool's pages.
//
// None of it is needed to use pagepool. How an example uses its pool is in files of its own.

import { observe, PLACES } from '/pagepool/inspect.js';
import { mountInspector } from '/pagepool/inspector-page.js';

export const find = (selector) => document.querySelector(selector);

/** Runs what a page does, and shows what fails: there, later, or because threads cannot share memory here. */
export async function run(main) {
  addEventListener('error', ({ error, message }) => showError(error ?? message, 'this page'));
  addEventListener('unhandledrejection', ({ reason }) => showError(reason, 'this page'));
  if (!crossOriginIsolated) return showError(whyNotIsolated(), 'no shared memory');
  try {
    await main();
  } catch (error) {
    showError(error, 'this page');
  }
}

function whyNotIsolated() {
  const headers = '“Cross-Origin-Opener-Policy: same-origin” and “Cross-Origin-Embedder-Policy: require-corp”';
  const why = isSecureContext
    ? `Send the two headers ${headers} with every file`
    : 'Open the page by https, or from localhost';
  return `This page is not cross-origin isolated, so its threads cannot share memory. ${why}: npm run example:web does.`;
}

/** Says in the page what went wrong, and where. */
export function showError(error, where) {
  const list = find('#errors');
  list.hidden = false;
  const name = Object.assign(document.createElement('b'), { textContent: `${where}: ` });
  const line = document.createElement('p');
  line.append(name, error instanceof Error ? error.message : String(error));
  list.prepend(line);
  while (list.children.length > 3) list.lastChild.remove();
}

/** One line of what has happened; the newest is on top. */
export function say(text) {
  const line = Object.assign(document.createElement('li'), { textContent: text });
  find('#log').prepend(line);
  while (find('#log').children.length > 4) find('#log').lastChild.remove();
}

/** What state the page is in: `running` or `stopped`. */
export function setState(state) {
  document.documentElement.dataset.state = state;
  find('#end').hidden = state !== 'stopped';
}

/**
 * The first button stops what runs, and starts it again: neither while the other is under way. What is returned does
 * the same.
 */
export function offerStop(isRunning, start, stop) {
  const button = find('#stop');
  const press = async () => {
    button.disabled = true;
    if (!isRunning()) find('#errors').replaceChildren();
    find('#errors').hidden = find('#errors').children.length === 0;
    try {
      await (isRunning() ? stop() : start());
    } finally {
      button.disabled = false;
      button.textContent = isRunning() ? 'Stop' : 'Start again';
    }
  };
  button.addEventListener('click', press);
  return press;
}

/** How it ended: the audit of the pool, and the report of its closing. */
export function showEnd(text, isRight) {
  find('#end').textContent = text;
  find('#end').classList.toggle('wrong', !isRight);
  setState('stopped');
}

/** Writes figures into the elements that have their names: `data-figure`. */
export function setFigures(figures) {
  for (const [name, value] of Object.entries(figures)) find(`[data-figure="${name}"]`).textContent = value;
}

/** Hears of a slider now and whenever it moves; what `onMove` returns is shown beside it. */
export function onSlider(selector, onMove) {
  const slider = find(selector);
  const move = () => {
    slider.parentElement.querySelector('output').textContent = onMove(Number(slider.value));
  };
  slider.addEventListener('input', move);
  move();
}

/** How many times a second something happens, as of the last second. */
export class Rate {
  #times = [];

  add() {
    this.#times.push(performance.now());
  }

  get perSecond() {
    const since = performance.now() - 1000;
    this.#times = this.#times.filter((time) => time > since);
    return this.#times.length;
  }
}

/** The last durations, and what most of them stay below. */
export class Durations {
  #last = [];

  add(ms) {
    this.#last.push(ms);
    if (this.#last.length > 300) this.#last.shift();
  }

  /** That part of them, such as 0.99, took at most so long; as text. */
  quantile(part) {
    if (this.#last.length === 0) return '–';
    const sorted = this.#last.toSorted((one, other) => one - other);
    return `${sorted[Math.ceil(part * sorted.length) - 1].toFixed(0)} ms`;
  }
}

/** A colour of the style sheet, as it is in light or dark now: for canvases. */
export function colour(name) {
  const probe = find('#errors');
  probe.style.caretColor = `var(--${name})`;
  return getComputedStyle(probe).caretColor;
}

/** A canvas as large as it is shown, in device pixels, and cleared; drawn on in the units of the page. */
export function clear(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  return { context, width, height };
}

/** Values over the last half minute; `series` has their colours. */
export class Plot {
  #canvas;
  #series;
  #values = [];

  constructor(canvas, series) {
    this.#canvas = canvas;
    this.#series = series;
  }

  /** Adds a value for each series, four times a second. */
  push(values) {
    this.#values.push(values);
    if (this.#values.length > 120) this.#values.shift();
    this.#canvas.dataset.values = this.#values.length;
    const { context, width, height } = clear(this.#canvas);
    const most = Math.max(4, ...this.#values.flat());
    const floor = height - 1;
    const y = (value) => floor - (value / most) * (height - 16);
    context.font = '12px system-ui, sans-serif';
    context.fillStyle = colour('muted');
    context.fillText(String(Math.round(most)), 0, 10);
    context.fillStyle = colour('line');
    context.fillRect(0, floor, width, 1);
    context.lineWidth = 2;
    context.lineJoin = 'round';
    for (const [i, name] of this.#series.entries()) {
      context.strokeStyle = colour(name);
      context.beginPath();
      for (const [at, each] of this.#values.entries()) {
        context.lineTo(width - ((this.#values.length - 1 - at) * width) / 119, y(each[i]) - 1);
      }
      context.stroke();
    }
  }
}

/** Samples as an oscilloscope shows them: from where they swing up through zero. */
export function drawScope(canvas, samples) {
  const context = canvas.getContext('2d');
  const { width, height } = canvas;
  context.fillStyle = '#0b0e13';
  context.fillRect(0, 0, width, height);
  context.fillStyle = '#24303c';
  for (let i = 1; i < 10; i++) context.fillRect((i * width) / 10, 0, 1, height);
  for (let i = 1; i < 6; i++) context.fillRect(0, (i * height) / 6, width, 1);
  let start = 1;
  while (start < samples.length / 2 && !(samples[start - 1] < 0 && samples[start] >= 0)) start++;
  context.strokeStyle = '#6ee7a8';
  context.lineWidth = 4;
  context.lineJoin = 'round';
  context.beginPath();
  const shown = samples.length / 2;
  for (let i = 0; i < shown; i++) {
    context.lineTo((i * width) / (shown - 1), height * (0.5 - 0.4 * samples[start - 1 + i]));
  }
  context.stroke();
}

/** Every page of a pool as a square, in the colour of who has it; what is read is returned by `look`. */
export class PageMap {
  #observer;
  #cells;
  #legend;
  #labels;
  #element;
  #seen = new Set();

  /** @param labels the threads of the pool, in the order of their colours; the creator is this page */
  constructor(element, pool, labels) {
    this.#observer = observe(pool);
    this.#labels = ['creator', ...labels];
    this.#element = element;
    this.#cells = document.createElement('ol');
    this.#cells.className = 'map';
    this.#cells.setAttribute('role', 'img');
    this.#cells.append(...Array.from({ length: pool.pageCount }, () => document.createElement('li')));
    this.#legend = document.createElement('ul');
    this.#legend.className = 'legend';
    element.replaceChildren(this.#cells, this.#legend);
  }

  /** Looks at the pool, shows where each page is, and returns the snapshot. */
  look() {
    const snapshot = this.#observer.snapshot();
    const { calls, channels, map, places, ports } = snapshot;
    const counts = new Map();
    const holders = this.#labels.map((label, i) => ({ name: label, colour: `owner-${i}` }));
    const lanes = [...channels, ...calls].map(({ name }, i) => ({ name: `in “${name}”`, colour: `lane-${i}` }));
    for (const [page, cell] of [...this.#cells.children].entries()) {
      const place = PLACES[map.places[page]];
      const owner = map.owners[page];
      const label = ports[owner]?.label;
      let holder;
      if (place === 'channel') holder = lanes[owner];
      else if (place !== 'cached') holder = holders.find(({ name }) => name === label);
      const shown = holder?.colour ?? (UNUSED.includes(place) ? 'fresh' : 'idle');
      counts.set(shown, (counts.get(shown) ?? 0) + 1);
      if (cell.dataset.shown !== shown) {
        cell.dataset.shown = shown;
        cell.style.background = `var(--${shown})`;
      }
    }
    const live = new Set(ports.filter(({ isClaimed }) => isClaimed).map(({ label }) => label));
    for (const label of live) this.#seen.add(label);
    const isGone = (label) => this.#seen.has(label) && !live.has(label);
    const rows = [
      ...holders.map(({ name, colour }) => ({ name: aliasOf(name), colour, isGone: isGone(name) })),
      ...lanes,
      { name: 'idle', colour: 'idle' },
      { name: 'never used', colour: 'fresh' },
    ];
    this.#showLegend(rows, counts);
    this.#element.dataset.used = places.used + places.channel;
    return snapshot;
  }

  /** What is out: pages that a thread has, or a channel. */
  static outOf({ places, pageCount }) {
    return `${pageCount - places.fresh - places.ring - places.cached - places.retired - places.provider} of ${pageCount}`;
  }

  #showLegend(rows, counts) {
    const lines = rows.map(({ name, colour, isGone }) => ({ name, colour, isGone, count: counts.get(colour) ?? 0 }));
    const key = JSON.stringify(lines);
    if (this.#legend.dataset.key === key) return;
    this.#legend.dataset.key = key;
    this.#cells.setAttribute('aria-label', lines.map(({ name, count }) => `${name}: ${count}`).join(', '));
    const items = lines.map(({ name, colour, isGone, count }) => {
      const item = document.createElement('li');
      const swatch = document.createElement('i');
      swatch.style.background = `var(--${colour})`;
      const figure = Object.assign(document.createElement('b'), { textContent: isGone ? 'gone' : count });
      figure.classList.toggle('gone', isGone === true);
      item.append(swatch, `${name} `, figure);
      return item;
    });
    this.#legend.replaceChildren(...items);
  }
}

/** Places of pages that never were in circulation. */
const UNUSED = ['fresh', 'provider'];
const aliasOf = (label) => (label === 'creator' ? 'this page' : label);

/** Puts pagepool's own inspector into the page while its `<details>` is open. */
export function offerInspector(poolNow) {
  let mounted;
  const toggle = () => {
    mounted?.unmount();
    mounted = find('#inspect').open && poolNow() ? mountInspector(find('#inspector'), poolNow()) : undefined;
  };
  find('#inspect').addEventListener('toggle', toggle);
  return toggle;
}

/** Waits until it is so, as long as that takes. */
export async function until(isSo) {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 50));
}
