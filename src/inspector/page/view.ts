// The whole page, as one element: what a look changes in it, and nothing of where looks come from.

import type { Look } from '../wire.js';
import { Colours } from './colours.js';
import { bytes, count, h, setText, short, span } from './dom.js';
import { FlowView } from './flow.js';
import { type Figures, History, stuckWaits } from './history.js';
import { EventsView, HoldersView, LintsView, ThreadsView } from './lists.js';
import { MapView } from './map.js';
import { Plots } from './plots.js';

const TILES = ['In flight', 'Allocations', 'Hand-offs', 'Waiting', 'Findings'] as const;

/** Everything that is shown of a pool. */
export class View {
  readonly element: HTMLElement;
  /** What stands at the right of the head. */
  readonly tools = h('div', { class: 'pp-tools' });
  /** What has to be said above everything else. */
  readonly #banner = h('p', { class: 'pp-banner', role: 'status', hidden: true });
  readonly #name = h('h1', {}, 'pagepool');
  readonly #state = h('span', { class: 'pp-state' }, 'connecting');
  readonly #facts = h('p', { class: 'pp-facts' });
  readonly #tiles = new Map<string, { figure: HTMLElement; note: HTMLElement; tile: HTMLElement }>();
  readonly #colours: Colours;
  readonly #history = new History();
  readonly #map: MapView;
  readonly #flow: FlowView;
  readonly #plots: Plots;
  readonly #lints = new LintsView();
  readonly #threads = new ThreadsView();
  readonly #holders = new HoldersView();
  readonly #events = new EventsView();
  readonly #isWhole: boolean;
  #last: Look | null = null;

  /** @param isWhole whether the page's title is its own */
  constructor(root: HTMLElement, isWhole: boolean) {
    this.#isWhole = isWhole;
    root.classList.add('pp');
    this.#colours = new Colours(root);
    this.#map = new MapView(this.#colours);
    this.#flow = new FlowView(this.#colours);
    this.#plots = new Plots(this.#colours, this.#history);
    const tiles = h('div', { class: 'pp-tiles' });
    for (const name of TILES) {
      const figure = h('b', { 'data-figure': name }, '–');
      const note = h('small');
      const tile = h('div', { class: 'pp-tile' }, h('span', {}, name), figure, note);
      tiles.append(tile);
      this.#tiles.set(name, { figure, note, tile });
    }
    const title = h('div', { class: 'pp-title' }, h('div', { class: 'pp-name' }, this.#name, this.#state), this.#facts);
    this.element = h(
      'main',
      { class: 'pp-main' },
      h('header', { class: 'pp-header' }, title, this.tools),
      this.#banner,
      tiles,
      this.#lints.element,
      this.#map.element,
      this.#flow.element,
      this.#plots.element,
      this.#threads.element,
      h('div', { class: 'pp-two' }, this.#holders.element, this.#events.element),
    );
    root.replaceChildren(this.element);
  }

  /** Shows a look. */
  update(look: Look): void {
    if (this.#last !== null && this.#last.name !== look.name) this.clear();
    this.#last = look;
    const figures = this.#history.add(look);
    setText(this.#name, look.name);
    if (this.#isWhole) document.title = `${look.name} – pagepool`;
    this.#setState(look.state);
    const { pageBytes, pageCount, readMs } = look;
    const pages = `${count(pageCount)} pages of ${bytes(pageBytes)}, ${bytes(pageCount * pageBytes)}`;
    setText(this.#facts, `${pages} · read in ${readMs < 10 ? readMs.toFixed(1) : Math.round(readMs)} ms`);
    this.#showTiles(look, figures);
    this.#lints.update(look);
    this.#map.update(look);
    this.#flow.update(look, figures);
    this.#plots.update(look);
    this.#threads.update(look, figures);
    this.#holders.update(look);
    this.#events.add(look.events);
  }

  /** Takes in a look that is passed over, on the way to another one. */
  pass(look: Look): void {
    this.#history.add(look);
    this.#events.add(look.events);
  }

  /** Forgets what was. */
  clear(): void {
    this.#history.clear();
    this.#events.clear();
  }

  /** Lets go of what the browser has of it. */
  end(): void {
    this.#map.end();
    this.#flow.end();
    this.#plots.end();
  }

  /** Says something above everything else; nothing with an empty text. */
  say(text: string, isAlarm = false): void {
    setText(this.#banner, text);
    this.#banner.hidden = text === '';
    this.#banner.classList.toggle('pp-alarm', isAlarm);
  }

  /** The pool's state, or the connection's. */
  setState(state: string): void {
    this.#setState(state);
  }

  /** The colours of the scheme have changed. */
  recolour(): void {
    this.#colours.read();
    this.#map.draw();
    this.#plots.redraw();
    if (this.#last !== null && this.#history.figures !== null) this.#flow.update(this.#last, this.#history.figures);
  }

  #setState(state: string): void {
    setText(this.#state, state);
    this.#state.dataset.state = state;
  }

  #showTiles(look: Look, figures: Figures): void {
    const { lints, pageBytes, pageCount, ports } = look;
    const waits = stuckWaits(look);
    const longest = waits.reduce((most, wait) => (wait.forMs > most.forMs ? wait : most), { forMs: 0, what: '' });
    const failed = look.rates?.failed ?? 0;
    const attached = ports.filter(({ isClaimed }) => isClaimed).length;
    const first = lints[0];
    const share = Math.round((100 * look.inflight) / pageCount);
    this.#tile('In flight', look.inflight, count(look.inflight), `${share} % · ${bytes(look.inflight * pageBytes)}`);
    const missed = failed > 0 ? `${short(failed)}/s found none` : `${short(look.rates?.fragments ?? 0)}/s fragments`;
    this.#tile('Allocations', figures.allocated, `${short(figures.allocated)}/s`, missed, failed > 0);
    const pending = look.channels.reduce((sum, channel) => sum + channel.pending, 0);
    const open = look.calls.reduce((sum, { serving, waiting }) => sum + serving + waiting, 0);
    const inside = [
      ...(look.channels.length > 0 || look.calls.length === 0 ? [`${count(pending)} entries in channels`] : []),
      ...(look.calls.length > 0 ? [`${count(open)} open calls`] : []),
    ].join(', ');
    this.#tile('Hand-offs', figures.handOffs, `${short(figures.handOffs)}/s`, inside);
    const waiting =
      waits.length === 0
        ? `${count(attached)} threads attached`
        : `at least ${span(longest.forMs)} for ${longest.what}`;
    this.#tile('Waiting', waits.length, count(waits.length), waiting, waits.length > 0);
    this.#tile('Findings', lints.length, count(lints.length), first?.name ?? 'nothing found', lints.length > 0);
  }

  #tile(name: (typeof TILES)[number], value: number, figure: string, note: string, isAlarmed = false): void {
    const tile = this.#tiles.get(name);
    if (tile === undefined) return;
    setText(tile.figure, figure);
    tile.figure.dataset.value = String(value);
    setText(tile.note, note);
    tile.note.title = note;
    tile.tile.classList.toggle('pp-alarmed', isAlarmed);
  }
}
