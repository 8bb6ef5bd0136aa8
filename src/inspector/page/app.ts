// The inspector's page as an application: looks that come from somewhere, recordings, keys, and the scheme.
//
// Where looks come from is a `Source`: a server, or a watcher in the same page. It ends without a trace.

import type { Frame, Look } from '../wire.js';
import { clock, h, span } from './dom.js';
import { Player, Recorder, readRecording, saveFile, Unpacker } from './recorder.js';
import { View } from './view.js';

const SCHEMES = ['system', 'light', 'dark'] as const;
const SCHEME_KEY = 'pagepool-scheme';

/** What a source calls. */
export interface Hearing {
  /** A connection was made: the next frame's map is whole. */
  open(): void;
  /** A frame, as JSON. */
  frame(json: string): void;
  /** Nothing comes any more, or not now; says why. */
  lose(reason: string): void;
}

/** Begins to give frames; what it returns ends that. */
export type Source = (hearing: Hearing) => () => void;

/** The page in an element. */
export class App {
  readonly #root: HTMLElement;
  readonly #view: View;
  readonly #recorder = new Recorder();
  readonly #listeners = new AbortController();
  readonly #systemDark = matchMedia('(prefers-color-scheme: dark)');
  readonly #pause: HTMLButtonElement;
  readonly #record: HTMLButtonElement;
  readonly #scheme: HTMLButtonElement;
  readonly #file: HTMLInputElement;
  readonly #slider: HTMLInputElement;
  readonly #play: HTMLButtonElement;
  readonly #time = h('span', { class: 'pp-time' });
  readonly #bar: HTMLElement;
  readonly #disconnect: () => void;
  #unpacker = new Unpacker();
  #last: Look | null = null;
  #player: Player | null = null;
  #isPaused = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param isWhole whether the element is the whole page: its title is the pool's name then, and keys are heard
   *   wherever the focus is
   */
  constructor(root: HTMLElement, source: Source, isWhole: boolean) {
    this.#root = root;
    this.#view = new View(root, isWhole);
    const button = (text: string, title: string, onclick: () => void): HTMLButtonElement =>
      h('button', { type: 'button', title, onclick }, text);
    this.#pause = button('Pause', 'Stop the picture; looks go on (space)', () => this.#setPaused(!this.#isPaused));
    this.#record = button('Record', 'Keep what happens from now on', () => this.#toggleRecording());
    const load = button('Open', 'Show a recording that was saved', () => this.#file.click());
    this.#scheme = button('Theme', 'Light, dark, or as the system has it', () => this.#nextScheme());
    const accept = '.json,application/json';
    this.#file = h('input', { type: 'file', accept, hidden: true, onchange: () => void this.#openFile() });
    this.#record.className = 'pp-record';
    this.#view.tools.append(this.#pause, this.#record, load, this.#scheme, this.#file);
    const label = 'Time in the recording';
    const oninput = (): void => this.#seek(Number(this.#slider.value));
    this.#slider = h('input', { type: 'range', min: 0, value: 0, 'aria-label': label, oninput });
    this.#play = button('Play', 'Go on by itself', () => this.#togglePlay());
    const back = button('Back to live', 'Leave the recording', () => this.#leave());
    this.#bar = h('div', { class: 'pp-player', hidden: true }, this.#play, this.#slider, this.#time, back);
    root.append(this.#bar);
    const { signal } = this.#listeners;
    this.#setScheme(remembered());
    this.#systemDark.addEventListener('change', () => this.#setScheme(root.dataset.scheme as string), { signal });
    const keys: EventTarget = isWhole ? document : root;
    keys.addEventListener('keydown', (event) => this.#onKey(event as KeyboardEvent), { signal });
    this.#disconnect = source({
      open: () => {
        this.#unpacker = new Unpacker();
      },
      frame: (json) => this.#onFrame(json),
      lose: (reason) => this.#lose(reason),
    });
  }

  /** Ends it: no timer, listener or observer is left. The element is empty. */
  end(): void {
    this.#disconnect();
    this.#listeners.abort();
    clearTimeout(this.#timer);
    this.#view.end();
    this.#root.replaceChildren();
  }

  #onFrame(json: string): void {
    const frame = JSON.parse(json) as Frame;
    const look = this.#unpacker.next(frame);
    this.#last = look;
    this.#recorder.add(frame, look);
    if (this.#recorder.isRecording) this.#record.textContent = `Stop · ${this.#recorder.count}`;
    if (this.#recorder.isFull) this.#toggleRecording();
    if (this.#player !== null) return;
    if (this.#isPaused) this.#view.pass(look);
    else this.#show(look);
  }

  #show(look: Look): void {
    this.#view.update(look);
    if (look.state === 'closing') this.#view.say('The pool is closing: it waits for what threads still hold.');
    else if (look.state === 'destroyed') this.#view.say('The pool has been closed. This is how it ended.');
    else this.#view.say('');
  }

  #lose(reason: string): void {
    if (this.#player !== null) return;
    const last = this.#last;
    this.#view.setState('not connected');
    this.#view.say(`${reason}${last === null ? '' : ` What you see is the last look, of ${clock(last.at)}.`}`, true);
  }

  #setPaused(isSo: boolean): void {
    this.#isPaused = isSo;
    this.#pause.textContent = isSo ? 'Go on' : 'Pause';
    this.#pause.setAttribute('aria-pressed', String(isSo));
    if (!isSo && this.#last !== null && this.#player === null) this.#show(this.#last);
  }

  #toggleRecording(): void {
    if (!this.#recorder.isRecording) {
      this.#recorder.start();
      this.#record.textContent = 'Stop · 0';
      this.#record.setAttribute('aria-pressed', 'true');
      return;
    }
    const recording = this.#recorder.stop();
    this.#record.textContent = 'Record';
    this.#record.setAttribute('aria-pressed', 'false');
    const at = new Date().toISOString().slice(0, 19).replace(/:/g, '-');
    const name = this.#last?.name.replace(/[^\w-]+/g, '-') ?? '';
    saveFile(`pagepool-${name}-${at}.json`, JSON.stringify(recording));
  }

  async #openFile(): Promise<void> {
    const [chosen] = this.#file.files ?? [];
    this.#file.value = '';
    if (chosen === undefined) return;
    try {
      this.#player = new Player(readRecording(await chosen.text()));
    } catch (error) {
      return this.#view.say(`${chosen.name}: ${(error as Error).message}.`, true);
    }
    this.#view.clear();
    this.#bar.hidden = false;
    this.#slider.max = String(this.#player.length - 1);
    this.#seek(0);
    this.#setPlaying(true);
  }

  #setPlaying(isSo: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#play.textContent = isSo ? 'Stop' : 'Play';
    if (isSo) this.#step();
  }

  #togglePlay(): void {
    const isPlaying = this.#timer !== undefined;
    if (!isPlaying && this.#player !== null && this.#player.at >= this.#player.length - 1) this.#seek(0);
    this.#setPlaying(!isPlaying);
  }

  /** Shows the next frame when its time has come. */
  #step(): void {
    const player = this.#player;
    if (player === null || player.at >= player.length - 1) {
      this.#setPlaying(false);
      return;
    }
    const waitMs = player.timeOf(player.at + 1) - player.timeOf(player.at);
    const next = (): void => {
      this.#seek(player.at + 1);
      this.#step();
    };
    this.#timer = setTimeout(next, Math.min(2000, Math.max(0, waitMs)));
  }

  #seek(frame: number): void {
    const player = this.#player;
    if (player === null) return;
    const { isAnew, looks } = player.goTo(frame);
    if (isAnew) this.#view.clear();
    for (const look of looks.slice(0, -1)) this.#view.pass(look);
    const look = looks.at(-1);
    if (look !== undefined) {
      this.#show(look);
      this.#view.setState('recording');
    }
    this.#slider.value = String(player.at);
    const at = player.timeOf(player.at);
    this.#time.textContent = `${clock(at)} · ${span(at - player.timeOf(0))}`;
  }

  #leave(): void {
    this.#setPlaying(false);
    this.#player = null;
    this.#bar.hidden = true;
    this.#view.clear();
    if (this.#last !== null) this.#show(this.#last);
  }

  /** As the system has it, or as the user chose here; the style sheet goes by what is shown. */
  #setScheme(chosen: string): void {
    const { dataset } = this.#root;
    dataset.scheme = chosen;
    const isDark = chosen === 'dark' || (chosen !== 'light' && this.#systemDark.matches);
    dataset.shown = isDark ? 'dark' : 'light';
    this.#scheme.textContent = `Theme: ${chosen === 'system' ? 'auto' : chosen}`;
    this.#view.recolour();
  }

  #nextScheme(): void {
    const at = SCHEMES.indexOf(this.#root.dataset.scheme as (typeof SCHEMES)[number]);
    const next = SCHEMES[(at + 1) % SCHEMES.length] as string;
    remember(next);
    this.#setScheme(next);
  }

  #onKey(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.key !== ' ' || /^(?:BUTTON|INPUT|SUMMARY|CANVAS)$/.test(target.tagName)) return;
    event.preventDefault();
    if (this.#player !== null) this.#togglePlay();
    else this.#setPaused(!this.#isPaused);
  }
}

/** The scheme that was chosen here before; a page may have no storage. */
function remembered(): string {
  try {
    const kept = localStorage.getItem(SCHEME_KEY);
    return SCHEMES.find((scheme) => scheme === kept) ?? 'system';
  } catch {
    return 'system';
  }
}

function remember(scheme: string): void {
  try {
    localStorage.setItem(SCHEME_KEY, scheme);
  } catch {
    // It is chosen for this time alone.
  }
}
