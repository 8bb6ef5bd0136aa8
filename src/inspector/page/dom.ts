// Elements, and numbers as people read them.

type Attributes = Readonly<Record<string, string | number | boolean | ((event: Event) => void)>>;

/** An element with attributes, listeners (`onclick`) and children. Text is never read as HTML. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false) element.setAttribute(key, String(value));
  }
  element.append(...children);
  return element;
}

/** A section with a heading, and what stands beside that. */
export function panel(id: string, title: string, beside: readonly Node[], ...children: Node[]): HTMLElement {
  const heading = h('h2', { id: `pp-${id}` }, title);
  return h(
    'section',
    { class: `pp-panel pp-${id}`, 'aria-labelledby': `pp-${id}` },
    h('div', { class: 'pp-head' }, heading, ...beside),
    ...children,
  );
}

/** Sets text where it differs: a screen reader, and the browser's layout, hear of changes alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Puts rows into `parent`, one a key; rows that stay keep their elements, and their focus. */
export class Rows<Item> {
  readonly #parent: Element;
  readonly #rows = new Map<string, { element: HTMLElement; update: (item: Item) => void }>();
  readonly #make: (item: Item) => { element: HTMLElement; update: (item: Item) => void };

  constructor(parent: Element, make: (item: Item) => { element: HTMLElement; update: (item: Item) => void }) {
    this.#parent = parent;
    this.#make = make;
  }

  set(items: readonly (readonly [key: string, item: Item])[]): void {
    const keys = new Set(items.map(([key]) => key));
    for (const [key, { element }] of this.#rows) {
      if (keys.has(key)) continue;
      element.remove();
      this.#rows.delete(key);
    }
    for (const [i, [key, item]] of items.entries()) {
      let row = this.#rows.get(key);
      if (row === undefined) {
        row = this.#make(item);
        this.#rows.set(key, row);
      }
      row.update(item);
      if (this.#parent.children[i] !== row.element)
        this.#parent.insertBefore(row.element, this.#parent.children[i] ?? null);
    }
  }
}

/** A count: `12,345`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** A rate or a large count, in three digits: `1.23 M`. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const [scale, unit] = value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : value >= 1e4 ? [1e3, ' k'] : [1, ''];
  const scaled = value / scale;
  const digits = scaled >= 100 || (scale === 1 && Number.isInteger(scaled)) ? 0 : scaled >= 10 ? 1 : 2;
  return `${scale === 1 && scaled >= 1000 ? count(scaled) : scaled.toFixed(digits)}${unit}`;
}

/** Bytes: `1.5 MiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let [scaled, unit] = [value, 0];
  while (scaled >= 1024 && unit < units.length - 1) [scaled, unit] = [scaled / 1024, unit + 1];
  return `${Number(scaled.toFixed(scaled >= 100 ? 0 : 1))} ${units[unit]}`;
}

/** A time span: `250 ms`, `3.2 s`, `4 min`. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** A time of day. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}
