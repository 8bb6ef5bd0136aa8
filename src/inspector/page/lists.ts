// What is said in words: findings, threads, who holds what with the stacks, and what happened.

import type { Lint } from '../../inspect/lints.js';
import type { LeakReport } from '../../leaks/report.js';
import type { Holder } from '../../reports/holders.js';
import type { Look, PoolEvent } from '../wire.js';
import { bytes, clock, count, h, panel, Rows, setText, short, span } from './dom.js';
import type { Figures } from './history.js';

const EVENTS_MAX = 200;

/** What the lints found, each with its remedy. */
export class LintsView {
  readonly element: HTMLElement;
  readonly #none = h('p', { class: 'pp-calm' }, 'nothing found');
  readonly #rows: Rows<Lint>;

  constructor() {
    const list = h('ul', { class: 'pp-lints-list' });
    this.#rows = new Rows<Lint>(list, () => {
      const name = h('code');
      const what = h('p');
      const remedy = h('p', { class: 'pp-remedy' });
      return {
        element: h('li', {}, name, what, remedy),
        update: (lint) => {
          setText(name, lint.name);
          setText(what, lint.what);
          setText(remedy, lint.remedy);
        },
      };
    });
    this.element = panel('lints', 'Findings', [this.#none], list);
  }

  update({ lints }: Look): void {
    this.#none.hidden = lints.length > 0;
    this.#rows.set(lints.map((lint) => [`${lint.name} ${lint.portId ?? ''} ${lint.channel ?? ''}`, lint]));
  }
}

type Port = Look['ports'][number];

/** The threads as a table. */
export class ThreadsView {
  readonly element: HTMLElement;
  readonly #rows: Rows<readonly [Port, Figures]>;

  constructor() {
    const body = h('tbody');
    const heads = ['Thread', 'Port', 'State', 'Holds', 'Caches', 'Allocates', 'Waits for'];
    const table = h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...heads.map((text) => h('th', { scope: 'col' }, text)))),
      body,
    );
    this.#rows = new Rows<readonly [Port, Figures]>(body, () => {
      const swatch = h('i', { class: 'pp-swatch' });
      const label = h('span');
      const cells = heads.slice(1).map(() => h('td'));
      return {
        element: h('tr', {}, h('th', { scope: 'row' }, swatch, label), ...cells),
        update: ([port, figures]) => {
          swatch.style.background = `var(--owner-${port.portId % 12})`;
          setText(label, port.label);
          const texts = [
            String(port.portId),
            port.state,
            count(port.held),
            count(port.cached),
            `${short(figures.ports[port.portId]?.allocated ?? 0)}/s`,
            port.waits.map(waitText).join('; '),
          ];
          for (const [i, text] of texts.entries()) setText(cells[i] as Element, text);
        },
      };
    });
    const scroll = h('div', { class: 'pp-scroll', tabindex: 0, role: 'region', 'aria-label': 'Threads' }, table);
    this.element = panel('threads', 'Threads', [], scroll);
  }

  update({ ports }: Look, figures: Figures): void {
    const attached = ports.filter(({ isClaimed }) => isClaimed);
    this.#rows.set(attached.map((port) => [String(port.portId), [port, figures] as const]));
  }
}

/** Who waits for an entry has nothing to do, for however long. */
function waitText({ forMs, what }: Port['waits'][number]): string {
  return what.startsWith('an entry') ? what : `${what}, at least ${span(forMs)}`;
}

/** Who has pages, and the stacks of what the serving thread holds. */
export class HoldersView {
  readonly element: HTMLElement;
  readonly #none = h('p', { class: 'pp-calm' }, 'Nobody has pages.');
  readonly #rows: Rows<Holder>;
  readonly #leaks: Rows<readonly LeakReport[]>;
  readonly #leaksTitle = h('h3', { hidden: true }, 'With their stacks, the oldest first');

  constructor() {
    const list = h('ul', { class: 'pp-holders-list' });
    this.#rows = new Rows<Holder>(list, () => {
      const element = h('li');
      return { element, update: ({ text }) => setText(element, text) };
    });
    const leaks = h('div', { class: 'pp-leaks' });
    this.#leaks = new Rows<readonly LeakReport[]>(leaks, () => {
      const summary = h('summary');
      const stack = h('pre');
      return {
        element: h('details', {}, summary, stack),
        update: (group) => {
          setText(summary, textOfGroup(group));
          setText(stack, group[0]?.stack ?? '');
        },
      };
    });
    this.element = panel('holders', 'Who has pages', [], this.#none, list, this.#leaksTitle, leaks);
  }

  update({ holders, leaks }: Look): void {
    this.#none.hidden = holders.length > 0;
    this.#rows.set(holders.map((holder, i) => [`${holder.kind} ${holder.portId} ${holder.channel} ${i}`, holder]));
    this.#leaksTitle.hidden = leaks.length === 0;
    const groups = new Map<string, LeakReport[]>();
    for (const leak of leaks) {
      const key = `${leak.origin} ${leak.isDropped} ${leak.stack}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [leak]);
      else group.push(leak);
    }
    this.#leaks.set([...groups]);
  }
}

/** What came the same way, the oldest first. */
function textOfGroup(group: readonly LeakReport[]): string {
  const [{ ageMs, isDropped, origin, page, stack }] = group as [LeakReport];
  const total = group.reduce((sum, leak) => sum + leak.bytes, 0);
  const what = group.length === 1 ? `page ${page}` : `${count(group.length)} fragments`;
  const lost = isDropped ? ', collected with the reference' : '';
  const at = stack.split('\n')[0]?.trim() ?? '';
  return `${what}, ${bytes(total)}, ${origin} up to ${span(ageMs)} ago${lost} ${at}`;
}

/** What happened, the newest first. */
export class EventsView {
  readonly element: HTMLElement;
  readonly #none = h('p', { class: 'pp-calm' }, 'Nothing yet: threads that come, leave or are reaped show here.');
  readonly #list = h('ol', { class: 'pp-events-list' });

  constructor() {
    this.element = panel('events', 'Events', [], this.#none, this.#list);
  }

  clear(): void {
    this.#list.replaceChildren();
    this.#none.hidden = false;
  }

  add(events: readonly PoolEvent[]): void {
    for (const { at, kind, text } of events) {
      this.#none.hidden = true;
      this.#list.prepend(
        h('li', { 'data-kind': kind }, h('time', {}, clock(at)), h('code', {}, kind), h('span', {}, text)),
      );
    }
    while (this.#list.children.length > EVENTS_MAX) this.#list.lastElementChild?.remove();
  }
}
