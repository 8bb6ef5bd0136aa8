// The inspector's page on looks that a test gives it, and what it shows as lines of text. Bundled by the test.
//
// What is drawn is written down call by call, and timers of the page run when the test says so.

import { App } from '../../../src/inspector/page/app.ts';

const timers = new Map();
let lastTimer = 0;
/** What each canvas shows: the calls of its last picture. */
const pictures = new Map();
const saved = [];
const observers = new Set();
let hearing;
let app;
let disconnected = 0;
let marked = [];

/** A path that knows what it is made of. */
class WrittenPath extends Path2D {
  steps = [];
  rect(...numbers) {
    this.steps.push(`rect ${numbers}`);
    super.rect(...numbers);
  }
  roundRect(...numbers) {
    this.steps.push(`round ${numbers}`);
    super.roundRect(...numbers);
  }
}
globalThis.Path2D = WrittenPath;

const context = CanvasRenderingContext2D.prototype;
for (const name of ['fill', 'clearRect', 'strokeRect', 'setTransform', 'translate', 'fillText', 'stroke']) {
  const call = context[name];
  context[name] = function (...given) {
    const isMap = this.canvas.className === 'pp-canvas';
    if (name === (isMap ? 'setTransform' : 'clearRect')) pictures.set(this.canvas, []);
    const picture = pictures.get(this.canvas) ?? [];
    const [first] = given;
    if (isMap && name === 'fill') picture.push(`map ${this.fillStyle}: ${first.steps.join('; ')}`);
    else if (isMap && name === 'strokeRect')
      picture.push(`map ${this.strokeStyle} ${this.lineWidth}: outline ${given}`);
    else if (isMap) picture.push(`map ${name} ${given}`);
    else if (name === 'fillText') picture.push(`plot text ${first}`);
    else if (name === 'stroke') picture.push(`plot line ${this.strokeStyle} ${this.lineWidth}`);
    else if (name === 'fill') picture.push(`plot area ${this.fillStyle}`);
    return call.apply(this, given);
  };
}

const { ResizeObserver: RealObserver } = globalThis;
globalThis.ResizeObserver = class extends RealObserver {
  constructor(call) {
    super(call);
    observers.add(this);
  }
  disconnect() {
    observers.delete(this);
    super.disconnect();
  }
};

// The player's, and the one that forgets a saved file; uPlot's are not asked for.
globalThis.setTimeout = (call, ms) => {
  timers.set(++lastTimer, { call, ms });
  return lastTimer;
};
globalThis.clearTimeout = (timer) => void timers.delete(timer);

HTMLAnchorElement.prototype.click = function () {
  saved.push({ name: this.download, text: fetch(this.href).then((response) => response.text()) });
};

const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const one = (selector, inside = document) => inside.querySelector(selector);
const shown = (element) => (element.hidden ? 'hidden' : 'shown');
const alarmed = (element) => (element.classList.contains('pp-alarmed') ? ' ALARM' : '');
const named = (style) => style.replace(/^var\(--(.*)\)$/, '$1');

/** What each part of the page shows. */
const parts = {
  head: () => [
    `title ${document.title} | ${one('h1').textContent} | ${one('.pp-facts').textContent}`,
    `state ${one('.pp-state').textContent} ${one('.pp-state').dataset.state}`,
    `banner ${shown(one('.pp-banner'))}${one('.pp-banner.pp-alarm') ? ' ALARM' : ''}: ${one('.pp-banner').textContent}`,
    ...all('.pp-tile').map((tile) => {
      const [figure, note] = [one('b', tile), one('small', tile)];
      const told = note.title === note.textContent ? '' : ` title ${note.title}`;
      const value = `${figure.textContent} =${figure.dataset.value}`;
      return `${figure.dataset.figure}: ${value} | ${note.textContent}${told}${alarmed(tile)}`;
    }),
  ],
  tools: () => [
    ...all('.pp-tools button, .pp-player button').map((button) => {
      const pressed = button.getAttribute('aria-pressed');
      return `${button.type} ${button.textContent}${pressed === null ? '' : ` pressed=${pressed}`}`;
    }),
    [
      `player ${shown(one('.pp-player'))} ${one('.pp-player input').value} of ${one('.pp-player input').max}`,
      one('.pp-time').textContent,
    ].join(' '),
    `scheme ${one('.pp').dataset.scheme} ${one('.pp').dataset.shown}`,
  ],
  map: () => [
    `places ${shown(all('.pp-map .pp-legend')[0])}: ${all('.pp-map [data-place]')
      .filter((figure) => !figure.parentElement.hidden)
      .map((figure) => {
        const none = figure.parentElement.classList.contains('pp-none') ? '-' : '';
        return `${figure.dataset.place} ${figure.textContent}=${figure.dataset.value}${none}`;
      })
      .join(', ')}`,
    `owners ${shown(all('.pp-map .pp-legend')[1])}: ${all('li', all('.pp-map .pp-legend')[1])
      .map((item) => `${item.textContent} ${one('i', item).style.background}`)
      .join(', ')}`,
    all('.pp-choice button')
      .map((button) => `${button.textContent} ${button.getAttribute('aria-pressed')}`)
      .join(', '),
    `tells ${one('.pp-tells').textContent}`,
    `canvas ${one('.pp-canvas').width} x ${one('.pp-canvas').height}, ${one('.pp-canvas').style.height}`,
  ],
  flow: () => [
    ...all('.pp-column').flatMap((column) => [
      one('h3', column).textContent,
      ...all('.pp-card', column).map((card) => {
        const bar = one('.pp-meter i', card);
        const lines = all('dt', card).map((term) => `${term.textContent} ${term.nextSibling.textContent}`);
        const meter = one('.pp-meter', card).hidden ? 'no bar' : `${bar.style.width} ${named(bar.style.background)}`;
        const head = `${one('b', card).textContent} (${one('small', card).textContent})`;
        return `  ${head} ${meter}: ${lines.join(', ')}${alarmed(card)}`;
      }),
    ]),
    `lines ${one('.pp-lines').style.display} ${one('.pp-lines').getAttribute('viewBox')}`,
    ...all('.pp-lines path').map((path) =>
      ['d', 'stroke', 'stroke-width', 'class'].map((name) => path.getAttribute(name)).join(' | '),
    ),
  ],
  plots: () =>
    all('.pp-plot').map((plot) => {
      const legend = all('.pp-legend li', plot).map(
        (item) => `${item.textContent} ${named(one('i', item).style.background)}`,
      );
      return `${one('h3', plot).textContent}: ${legend.join(', ')}`;
    }),
  lists: () => [
    `findings none ${shown(one('.pp-lints .pp-calm'))}`,
    ...all('.pp-lints-list li').map((item) => [...item.children].map(({ textContent }) => textContent).join(' | ')),
    ...all('.pp-threads tbody tr').map((row) =>
      [
        `thread ${named(one('i', row).style.background)} ${row.firstChild.textContent}`,
        ...[...row.children].slice(1).map(({ textContent }) => textContent),
      ].join(' | '),
    ),
    `holders none ${shown(one('.pp-holders .pp-calm'))}`,
    ...all('.pp-holders-list li').map(({ textContent }) => `holder ${textContent}`),
    `stacks ${shown(one('.pp-holders h3'))}`,
    ...all('.pp-leaks details').map(
      (item) => `leak ${one('summary', item).textContent} / ${one('pre', item).textContent}`,
    ),
    `events none ${shown(one('.pp-events .pp-calm'))}`,
    ...all('.pp-events-list li').map(
      (item) => `event ${item.dataset.kind}: ${[...item.children].map(({ textContent }) => textContent).join(' | ')}`,
    ),
  ],
  marked: () => marked.map((element) => `${element.isConnected ? 'kept' : 'gone'} ${element.dataset.was}`),
  drawnMap: () => pictures.get(one('.pp-canvas')) ?? [],
  drawnPlots: () => all('.uplot canvas').flatMap((canvas) => pictures.get(canvas) ?? []),
};

/** Plots draw in microtasks. */
const drawnNow = async () => {
  for (let i = 0; i < 5; i++) await null;
};
const button = (text) => all('button').find((each) => each.textContent.startsWith(text));
/** As long as layout, observers and plots take to follow. */
const settled = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

Object.assign(globalThis, {
  begin: (isWhole) => {
    app?.end();
    const root = document.createElement('div');
    root.id = 'inspector';
    document.body.replaceChildren(root);
    observers.clear();
    timers.clear();
    disconnected = 0;
    app = new App(
      root,
      (given) => {
        hearing = given;
        return () => disconnected++;
      },
      isWhole,
    );
  },
  end: () => {
    app.end();
    return {
      children: one('#inspector').childNodes.length,
      observers: observers.size,
      timers: timers.size,
      disconnected,
    };
  },
  hear: async (...frames) => {
    pictures.clear();
    for (const frame of frames) hearing.frame(JSON.stringify(frame));
    await settled();
  },
  open: () => hearing.open(),
  lose: (reason) => hearing.lose(reason),
  show: (...names) => names.flatMap((name) => parts[name]()),
  settle: settled,
  mark: () => {
    marked = all('.pp-card, tbody tr, .pp-lints-list li, .pp-lines path');
    for (const [i, element] of marked.entries())
      element.dataset.was = `${element.tagName} ${i} ${element.querySelector('b, span, p')?.textContent ?? ''}`;
  },
  plotWidths: () => all('.u-wrap').map((plot) => plot.style.width),
  press: async (text) => {
    pictures.clear();
    button(text).click();
    await drawnNow();
  },
  /** Whether the key was taken. */
  key: async (name, selector = 'body') => {
    pictures.clear();
    const event = new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true });
    one(selector).dispatchEvent(event);
    await drawnNow();
    return event.defaultPrevented;
  },
  /** The pointer, from the corner of the canvas. */
  point: (kind, x, y) => {
    const { left, top } = one('.pp-canvas').getBoundingClientRect();
    const event = new PointerEvent(kind, { clientX: left + x, clientY: top + y });
    one('.pp-canvas').dispatchEvent(event);
    return one('.pp-tells').textContent;
  },
  seek: async (frame) => {
    const slider = one('.pp-player input');
    slider.value = String(frame);
    slider.dispatchEvent(new Event('input'));
    await drawnNow();
  },
  choose: async (name, text) => {
    const input = one('input[type=file]');
    const chosen = new DataTransfer();
    if (name !== undefined) chosen.items.add(new File([text], name));
    input.files = chosen.files;
    input.dispatchEvent(new Event('change'));
    await drawnNow();
    return input.files.length;
  },
  resize: async (width) => {
    pictures.clear();
    one('#inspector').style.cssText = `width: ${width}`;
    await settled();
    return all('.u-wrap').map((plot) => plot.style.width === `${plot.closest('.pp-plot-box').clientWidth}px`);
  },
  /** The timers that wait, by their lengths; runs them. */
  tick: async () => {
    const due = [...timers.values()];
    timers.clear();
    for (const { call } of due) call();
    await drawnNow();
    return due.map(({ ms }) => ms);
  },
  waiting: () => [...timers.values()].map(({ ms }) => ms),
  savedFiles: async () => Promise.all(saved.splice(0).map(async ({ name, text }) => [name, await text])),
});
