// The map of pages: a cell a page, by place or by owner. Pointer and arrow keys tell what a page is.

import { NOBODY, PLACES, type Place } from '../../inspect/page-map.js';
import type { Look } from '../wire.js';
import { type Colours, laneColour, PLACE_TEXTS } from './colours.js';
import { count, h, panel, setText } from './dom.js';

/** The height that a map takes at most, as long as cells of two pixels do. */
const HEIGHT_MAX = 300;
const CELL_MAX = 26;
/** Around the cells, for the outline of one at the edge. */
const MARGIN = 2;
/** Cells from this size on stand apart. */
const GAP_FROM = 5;
/** The legend's order: what is out first. */
const LEGEND: readonly Place[] = [
  'used',
  'open',
  'channel',
  'token',
  'reply',
  'moving',
  'pinned',
  'cached',
  'ring',
  'retired',
  'fresh',
  'provider',
  'reserve',
  'nobody',
];
/** Places that are shown in the legend also with no page. */
const ALWAYS: readonly Place[] = ['used', 'channel', 'cached', 'ring', 'fresh'];

type Mode = 'place' | 'owner';

/** The map with its legend. */
export class MapView {
  readonly element: HTMLElement;
  readonly #resized = new ResizeObserver(() => this.draw());
  readonly #colours: Colours;
  readonly #canvas: HTMLCanvasElement;
  readonly #tells: HTMLElement;
  readonly #legend: HTMLElement;
  readonly #chips = new Map<Place, { chip: HTMLElement; figure: HTMLElement }>();
  readonly #owners: HTMLElement;
  readonly #modes: readonly HTMLButtonElement[];
  #mode: Mode = 'place';
  #look: Look | null = null;
  #columns = 1;
  #cell = CELL_MAX;
  /** The page that is told about, by its index; -1: none. */
  #chosen = -1;

  constructor(colours: Colours) {
    this.#colours = colours;
    this.#canvas = h('canvas', {
      class: 'pp-canvas',
      tabindex: 0,
      role: 'application',
      'aria-label': 'Map of pages. Arrow keys go from page to page.',
      'aria-describedby': 'pp-tells',
    });
    this.#tells = h('p', { class: 'pp-tells', id: 'pp-tells', 'aria-live': 'polite' });
    this.#legend = h('ul', { class: 'pp-legend' });
    this.#owners = h('ul', { class: 'pp-legend', hidden: true });
    for (const place of LEGEND) {
      const figure = h('b', { 'data-place': place }, '0');
      const swatch = h('i', { class: 'pp-swatch' });
      swatch.style.background = `var(--place-${place})`;
      const chip = h('li', { title: PLACE_TEXTS[place] }, swatch, `${place} `, figure);
      this.#legend.append(chip);
      this.#chips.set(place, { chip, figure });
    }
    this.#modes = (['place', 'owner'] as const).map((mode) =>
      h(
        'button',
        { type: 'button', 'aria-pressed': String(mode === 'place'), onclick: () => this.#setMode(mode) },
        mode === 'place' ? 'By place' : 'By owner',
      ),
    );
    const choice = h('div', { class: 'pp-choice', role: 'group', 'aria-label': 'Colour of a page' }, ...this.#modes);
    this.element = panel('map', 'Pages', [choice], this.#canvas, this.#tells, this.#legend, this.#owners);
    this.#canvas.addEventListener('pointermove', (event) => this.#choose(this.#pageAt(event)));
    this.#canvas.addEventListener('pointerleave', () => this.#choose(-1));
    this.#canvas.addEventListener('pointerdown', (event) => this.#choose(this.#pageAt(event)));
    this.#canvas.addEventListener('keydown', (event) => this.#onKey(event));
    this.#canvas.addEventListener('blur', () => this.#choose(-1));
    this.#resized.observe(this.element);
  }

  update(look: Look): void {
    this.#look = look;
    for (const [place, { chip, figure }] of this.#chips) {
      const pages = look.places[place];
      setText(figure, count(pages));
      figure.dataset.value = String(pages);
      chip.hidden = pages === 0 && !ALWAYS.includes(place);
      chip.classList.toggle('pp-none', pages === 0);
    }
    this.draw();
    this.#tell();
  }

  /** Draws every cell: a pool of 100,000 takes some milliseconds. */
  draw(): void {
    const look = this.#look;
    const width = this.#canvas.clientWidth;
    if (look === null || width === 0) return;
    const pages = look.pageCount;
    this.#fit(pages, width - 2 * MARGIN);
    const rows = Math.ceil(pages / this.#columns);
    const scale = Math.min(2, globalThis.devicePixelRatio || 1);
    const height = rows * this.#cell + 2 * MARGIN;
    if (this.#canvas.width !== width * scale || this.#canvas.height !== height * scale) {
      this.#canvas.width = width * scale;
      this.#canvas.height = height * scale;
      this.#canvas.style.height = `${height}px`;
    }
    const context = this.#canvas.getContext('2d') as CanvasRenderingContext2D;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.translate(MARGIN, MARGIN);
    this.#drawCells(context, look);
    if (this.#chosen >= 0 && this.#chosen < pages) this.#drawChosen(context);
  }

  /** Lets go of what the browser has of it. */
  end(): void {
    this.#resized.disconnect();
  }

  /** The largest cell that keeps the map low. */
  #fit(pages: number, width: number): void {
    this.#cell = CELL_MAX;
    const rows = (): number => Math.ceil(pages / Math.max(1, Math.floor(width / this.#cell)));
    while (this.#cell > 2 && rows() * this.#cell > HEIGHT_MAX) this.#cell--;
    this.#columns = Math.max(1, Math.floor(width / this.#cell));
  }

  /** By colour, so that each is set once. */
  #drawCells(context: CanvasRenderingContext2D, look: Look): void {
    const { owners, places } = look.map;
    const side = this.#side;
    const paths = new Map<number, Path2D>();
    const isByOwner = this.#mode === 'owner';
    const CHANNEL = PLACES.indexOf('channel');
    for (let i = 0; i < places.length; i++) {
      const place = places[i] as number;
      const owner = owners[i] as number;
      const key = !isByOwner ? place : place === CHANNEL && owner !== NOBODY ? -1 - owner : owner;
      let path = paths.get(key);
      if (path === undefined) {
        path = new Path2D();
        paths.set(key, path);
      }
      const x = (i % this.#columns) * this.#cell;
      const y = Math.floor(i / this.#columns) * this.#cell;
      if (side >= 10) path.roundRect(x, y, side, side, 3);
      else path.rect(x, y, side, side);
    }
    for (const [key, path] of paths) {
      context.fillStyle = isByOwner ? this.#ownerColour(key) : this.#colours.place(key);
      context.fill(path);
    }
  }

  /** The side of what is drawn of a cell. */
  get #side(): number {
    return this.#cell - (this.#cell >= 12 ? 2 : this.#cell >= GAP_FROM ? 1 : 0);
  }

  /** By a port's number; channels and calls count down from -1. */
  #ownerColour(owner: number): string {
    if (owner === NOBODY) return this.#colours.get('free');
    return owner < 0 ? this.#colours.get(laneColour(-1 - owner)) : this.#colours.owner(owner);
  }

  #drawChosen(context: CanvasRenderingContext2D): void {
    const x = (this.#chosen % this.#columns) * this.#cell;
    const y = Math.floor(this.#chosen / this.#columns) * this.#cell;
    context.strokeStyle = this.#colours.get('ink');
    context.lineWidth = 2;
    context.strokeRect(x - 1, y - 1, this.#side + 2, this.#side + 2);
  }

  #setMode(mode: Mode): void {
    this.#mode = mode;
    for (const [i, button] of this.#modes.entries()) {
      button.setAttribute('aria-pressed', String((i === 0) === (mode === 'place')));
    }
    this.#legend.hidden = mode === 'owner';
    this.#owners.hidden = mode === 'place';
    this.#tell();
    this.draw();
  }

  #choose(page: number): void {
    if (page === this.#chosen) return;
    this.#chosen = page;
    this.#tell();
    this.draw();
  }

  #pageAt(event: PointerEvent): number {
    const { left, top } = this.#canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - left - MARGIN) / this.#cell);
    const page = Math.floor((event.clientY - top - MARGIN) / this.#cell) * this.#columns + column;
    return column >= 0 && column < this.#columns && page < (this.#look?.pageCount ?? 0) ? page : -1;
  }

  #onKey(event: KeyboardEvent): void {
    const pages = this.#look?.pageCount ?? 0;
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.#columns,
      ArrowDown: this.#columns,
      Home: -pages,
      End: pages,
    };
    const step = steps[event.key];
    if (event.key === 'Escape') this.#choose(-1);
    if (step === undefined) return;
    event.preventDefault();
    this.#choose(Math.max(0, Math.min(pages - 1, this.#chosen + step)));
  }

  /** What is known of the chosen page, or of all of them. */
  #tell(): void {
    const look = this.#look;
    if (look === null) return;
    this.#listOwners(look);
    setText(
      this.#tells,
      this.#chosen < 0 || this.#chosen >= look.pageCount ? hint(look) : aboutPage(look, this.#chosen),
    );
  }

  #listOwners({ calls, channels, ports }: Look): void {
    if (this.#mode === 'place') return;
    const entries = [
      ...ports
        .filter(({ isClaimed }) => isClaimed)
        .map(({ label, portId }) => [portId, `${label} (${portId})`] as const),
      ...channels.map(({ name }, i) => [-1 - i, `channel ${name}`] as const),
      ...calls.map(({ name }, i) => [-1 - channels.length - i, `calls ${name}`] as const),
    ];
    const key = entries.map(String).join();
    if (this.#owners.dataset.key === key) return;
    this.#owners.dataset.key = key;
    this.#owners.replaceChildren(
      ...entries.map(([owner, name]) => {
        const swatch = h('i', { class: 'pp-swatch' });
        swatch.style.background = this.#ownerColour(owner);
        return h('li', {}, swatch, name);
      }),
    );
  }
}

function hint({ hasMoved }: Look): string {
  const moved = hasMoved ? ' Threads moved pages during the look.' : '';
  return `Point at a page, or focus the map and use the arrow keys.${moved}`;
}

function aboutPage(look: Look, index: number): string {
  const place = PLACES[look.map.places[index] as number] ?? 'nobody';
  const owner = ownerName(look, place, look.map.owners[index] as number);
  return `Page ${index + 1}: ${PLACE_TEXTS[place]}${owner === '' ? '' : `: ${owner}`}`;
}

/** Whose a page is, in words; empty where it is nobody's. */
function ownerName({ calls, channels, ports }: Look, place: Place, owner: number): string {
  if (owner === NOBODY) return '';
  if (place === 'channel') {
    const channel = channels[owner];
    return channel === undefined ? `calls ${calls[owner - channels.length]?.name ?? ''}` : `channel ${channel.name}`;
  }
  const label = ports[owner]?.label ?? '';
  return label === '' ? `port ${owner}` : `${label} (port ${owner})`;
}
