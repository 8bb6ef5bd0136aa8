// Memory, threads and channels, and what goes between them: lines as wide as their rates, and the same in figures.
//
// Cards are laid out by the style sheet. The lines lie below them and are drawn where there is room for three columns;
// on a narrow screen the figures on the cards say it all.

import type { Look } from '../wire.js';
import { type Colours, laneColour } from './colours.js';
import { bytes, count, h, panel, Rows, setText, short, span } from './dom.js';
import type { Figures } from './history.js';

const SVG = 'http://www.w3.org/2000/svg';

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly rate: number;
  readonly colour: string;
}

interface Card {
  readonly title: string;
  readonly note: string;
  readonly lines: readonly (readonly [name: string, value: string])[];
  /** How full it is, 0 to 1; undefined: no bar. */
  readonly fill: number | undefined;
  readonly colour: string;
  readonly isAlarmed: boolean;
}

/** The flow. */
export class FlowView {
  readonly element: HTMLElement;
  readonly #resized = new ResizeObserver(() => this.#draw());
  readonly #area: HTMLElement;
  readonly #lines: SVGSVGElement;
  readonly #colours: Colours;
  readonly #columns: readonly Rows<Card>[];
  readonly #cards = new Map<string, HTMLElement>();
  readonly #paths = new Map<string, SVGPathElement>();
  #edges: readonly Edge[] = [];

  constructor(colours: Colours) {
    this.#colours = colours;
    this.#lines = document.createElementNS(SVG, 'svg');
    this.#lines.setAttribute('class', 'pp-lines');
    this.#lines.setAttribute('aria-hidden', 'true');
    this.#area = h('div', { class: 'pp-flow-area' });
    this.#area.append(this.#lines);
    this.#columns = ['Memory', 'Threads', 'Channels'].map((title) => {
      const rows = h('div', { class: 'pp-cards' });
      this.#area.append(h('div', { class: 'pp-column' }, h('h3', {}, title), rows));
      return new Rows<Card>(rows, (card) => makeCard(card));
    });
    this.element = panel('flow', 'Flow', [], this.#area);
    this.#resized.observe(this.#area);
  }

  update(look: Look, figures: Figures): void {
    const threads = look.ports.filter(({ isClaimed }) => isClaimed);
    const columns: [string, Card][][] = [
      memoryCards(look),
      threads.map((port) => [`port ${port.portId}`, threadCard(look, port, figures)]),
      channelCards(look),
    ];
    for (const [i, cards] of columns.entries()) this.#columns[i]?.set(cards);
    this.#edges = edgesOf(look, figures);
    this.#cards.clear();
    for (const [i, cards] of columns.entries()) {
      const elements = this.#area.querySelectorAll(`.pp-column:nth-of-type(${i + 1}) .pp-card`);
      for (const [n, [key]] of cards.entries()) this.#cards.set(key, elements[n] as HTMLElement);
    }
    this.#draw();
  }

  /** Lets go of what the browser has of it. */
  end(): void {
    this.#resized.disconnect();
  }

  /** Draws the lines: the cards stand where the style sheet put them. */
  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#area;
    const isWide = getComputedStyle(this.#area).gridTemplateColumns.includes(' ');
    this.#lines.style.display = isWide ? '' : 'none';
    if (!isWide) return;
    this.#lines.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const origin = this.#area.getBoundingClientRect();
    const keys = new Set<string>();
    for (const { colour, from, rate, to } of this.#edges) {
      const [one, other] = [this.#cards.get(from), this.#cards.get(to)];
      if (one === undefined || other === undefined) continue;
      const key = `${from}>${to}`;
      keys.add(key);
      let path = this.#paths.get(key);
      if (path === undefined) {
        path = document.createElementNS(SVG, 'path');
        this.#lines.append(path);
        this.#paths.set(key, path);
      }
      const size = rate > 0 ? Math.min(7, 1.2 + Math.log10(1 + rate) * 0.9) : 1;
      path.setAttribute('d', curve(one.getBoundingClientRect(), other.getBoundingClientRect(), origin));
      path.setAttribute('stroke', rate > 0 ? this.#colours.get(colour) : this.#colours.get('line'));
      path.setAttribute('stroke-width', size.toFixed(2));
      path.setAttribute('class', rate > 0 ? 'pp-moves' : '');
    }
    for (const [key, path] of this.#paths) {
      if (keys.has(key)) continue;
      path.remove();
      this.#paths.delete(key);
    }
  }
}

/** From one card's side to the other's; the way back lies a little below. */
function curve(one: DOMRect, other: DOMRect, origin: DOMRect): string {
  const isForth = one.left < other.left;
  const x1 = (isForth ? one.right : one.left) - origin.left;
  const x2 = (isForth ? other.left : other.right) - origin.left;
  const shift = isForth ? -7 : 7;
  const y1 = one.top + one.height / 2 - origin.top + shift;
  const y2 = other.top + other.height / 2 - origin.top + shift;
  const bend = (x2 - x1) / 2;
  const at = (x: number, y: number): string => `${x.toFixed(1)} ${y.toFixed(1)}`;
  return `M${at(x1, y1)}C${at(x1 + bend, y1)} ${at(x2 - bend, y2)} ${at(x2, y2)}`;
}

function makeCard(first: Card): { element: HTMLElement; update: (card: Card) => void } {
  const title = h('b', {}, first.title);
  const note = h('small');
  const bar = h('i');
  const meter = h('div', { class: 'pp-meter' }, bar);
  const lines = h('dl');
  const element = h('div', { class: 'pp-card' }, h('div', { class: 'pp-card-head' }, title, note), meter, lines);
  return {
    element,
    update: (card) => {
      setText(title, card.title);
      setText(note, card.note);
      element.classList.toggle('pp-alarmed', card.isAlarmed);
      meter.hidden = card.fill === undefined;
      bar.style.width = `${Math.min(100, 100 * (card.fill ?? 0)).toFixed(1)}%`;
      bar.style.background = `var(--${card.colour})`;
      while (lines.children.length > 2 * card.lines.length) lines.lastElementChild?.remove();
      for (const [i, [name, value]] of card.lines.entries()) {
        if (lines.children.length <= 2 * i) lines.append(h('dt'), h('dd'));
        setText(lines.children[2 * i] as Element, name);
        setText(lines.children[2 * i + 1] as Element, value);
      }
    },
  };
}

/** What a provider reports of itself, a line each: `freePages: 3` as `free pages 3`. */
function reportLines(report: Look['provider']['description'] | undefined): Card['lines'] {
  return Object.entries(report ?? {})
    .filter(([key]) => key !== 'kind')
    .map(([key, value]) => {
      const name = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      if (typeof value !== 'number') return [name, typeof value === 'string' ? value : JSON.stringify(value)] as const;
      return /bytes$/.test(name)
        ? ([name.replace(/ ?bytes$/, '') || 'memory', bytes(value)] as const)
        : ([name, count(value)] as const);
    });
}

function memoryCards({ pageCount, places, provider, rates }: Look): [string, Card][] {
  const outside = places.fresh + places.retired + places.provider;
  const isGone = provider.state === 'gone';
  const waiting: Card['lines'] = places.pinned > 0 ? [['pinned', count(places.pinned)]] : [];
  const wanted: Card['lines'] = provider.wanted > 0 ? [['wanted', count(provider.wanted)]] : [];
  const reserve: Card = {
    title: 'Reserve',
    note: String(provider.reserve?.kind ?? 'for peaks'),
    lines: [['pages', count(places.reserve)], ...reportLines(provider.reserve)],
    fill: places.reserve / pageCount,
    colour: 'place-reserve',
    isAlarmed: false,
  };
  return [
    [
      'provider',
      {
        title: 'Provider',
        note: isGone ? `${provider.kind}, its thread is gone` : provider.kind,
        lines: [
          ['pages', count(outside)],
          ['taken', `${short(rates?.taken ?? 0)}/s`],
          ...wanted,
          ...waiting,
          ...reportLines(provider.description),
        ],
        fill: outside / pageCount,
        colour: 'place-retired',
        isAlarmed: isGone,
      },
    ],
    ...(places.reserve > 0 || provider.reserve != null ? [['reserve', reserve] as [string, Card]] : []),
    [
      'ring',
      {
        title: 'Ring',
        note: 'idle pages between threads',
        lines: [
          ['pages', count(places.ring)],
          ['recycled', `${short(rates?.recycled ?? 0)}/s`],
        ],
        fill: places.ring / pageCount,
        colour: 'place-ring',
        isAlarmed: false,
      },
    ],
  ];
}

function threadCard({ channels, pageCount }: Look, port: Look['ports'][number], figures: Figures): Card {
  const rates = figures.ports[port.portId];
  const wait = port.waits[0];
  const isStuck = port.waits.some(({ what }) => !what.startsWith('an entry'));
  const lanes = channels.flatMap(({ name }, i): [string, string][] => {
    const { received, sent } = rates?.lanes[i] ?? { received: 0, sent: 0 };
    return [
      ...(sent > 0 ? [[`→ ${name}`, `${short(sent)}/s`] as [string, string]] : []),
      ...(received > 0 ? [[`← ${name}`, `${short(received)}/s`] as [string, string]] : []),
    ];
  });
  const state = port.state === 'attached' ? '' : port.state;
  const waits = wait === undefined ? '' : isStuck ? `waits at least ${span(wait.forMs)} for ${wait.what}` : 'idle';
  return {
    title: port.label === '' ? `port ${port.portId}` : port.label,
    note: [state, waits].filter((text) => text !== '').join(', '),
    lines: [
      ['holds', count(port.held)],
      ['caches', count(port.cached)],
      ['allocates', `${short(rates?.allocated ?? 0)}/s`],
      ...lanes,
    ],
    fill: port.held / pageCount,
    colour: `owner-${port.portId % 12}`,
    isAlarmed: isStuck || state !== '',
  };
}

function channelCards({ calls, channels, rates }: Look): [string, Card][] {
  return [
    ...channels.map((channel, i): [string, Card] => {
      const { capacity, dropped, name, pending, waiting } = channel;
      const drops: Card['lines'] = dropped > 0 ? [['dropped', count(dropped)]] : [];
      const senders: Card['lines'] = waiting.senders > 0 ? [['wait for room', count(waiting.senders)]] : [];
      return [
        `channel ${i}`,
        {
          title: name,
          note: `${count(pending)} of ${count(capacity)}`,
          lines: [
            ['sent', `${short(rates?.channels[i]?.sent ?? 0)}/s`],
            ['received', `${short(rates?.channels[i]?.received ?? 0)}/s`],
            ...senders,
            ...drops,
          ],
          fill: pending / capacity,
          colour: pending >= capacity ? 'warn' : laneColour(i),
          isAlarmed: pending >= capacity,
        },
      ];
    }),
    ...calls.map((call, i): [string, Card] => [
      `calls ${i}`,
      {
        title: `${call.name} ()`,
        note: `${count(call.waiting)} waiting, ${count(call.serving)} in work`,
        lines: [
          ['asked', `${short(rates?.calls[i]?.asked ?? 0)}/s`],
          ['answered', `${short(rates?.calls[i]?.answered ?? 0)}/s`],
        ],
        fill: (call.waiting + call.serving) / call.capacity,
        colour: laneColour(channels.length + i),
        isAlarmed: false,
      },
    ]),
  ];
}

function edgesOf({ channels, ports }: Look, figures: Figures): Edge[] {
  return ports.flatMap(({ isClaimed, lanes: totals, portId }) => {
    const rates = figures.ports[portId];
    if (!isClaimed || rates === undefined) return [];
    const port = `port ${portId}`;
    return [
      { from: 'provider', to: port, rate: rates.taken, colour: 'place-retired' },
      { from: 'ring', to: port, rate: rates.refilled, colour: 'place-ring' },
      { from: port, to: 'ring', rate: rates.returned, colour: 'place-ring' },
      ...channels.flatMap((_, i) => [
        ...((totals[i]?.sent ?? 0) > 0
          ? [{ from: port, to: `channel ${i}`, rate: rates.lanes[i]?.sent ?? 0, colour: `owner-${portId % 12}` }]
          : []),
        ...((totals[i]?.received ?? 0) > 0
          ? [{ from: `channel ${i}`, to: port, rate: rates.lanes[i]?.received ?? 0, colour: laneColour(i) }]
          : []),
      ]),
    ];
  });
}
