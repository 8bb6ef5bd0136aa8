// The page that serveInspector serves: looks by server-sent events, recordings, and what is said when the pool ends.

import type { Frame, Look } from '../wire.js';
import { clock, h, span } from './dom.js';
import { Player, Recorder, readRecording, saveFile, Unpacker } from './recorder.js';
import { View } from './view.js';

/** A page that hears nothing for so long has lost its server. */
const SILENT_MS = 3000;
const SCHEMES = ['system', 'light', 'dark'] as const;
const systemDark = matchMedia('(prefers-color-scheme: dark)');

const root = document.getElementById('inspector') as HTMLElement;
const view = new View(root);
const recorder = new Recorder();

// The token has done its work: a cookie has taken its place, and it should not be seen, or kept with a bookmark.
if (location.search !== '') history.replaceState(null, '', location.pathname);

let unpacker = new Unpacker();
let last: Look | null = null;
let player: Player | null = null;
let isPaused = false;
let isEnded = false;
let heardMs = performance.now();

const button = (text: string, title: string, onclick: () => void): HTMLButtonElement =>
  h('button', { type: 'button', title, onclick }, text);

const pause = button('Pause', 'Stop the picture; looks go on (space)', () => setPaused(!isPaused));
const record = button('Record', 'Keep what happens from now on', () => toggleRecording());
const load = button('Open', 'Show a recording that was saved', () => file.click());
const scheme = button('Theme', 'Light, dark, or as the system has it', () => nextScheme());
const file = h('input', {
  type: 'file',
  accept: '.json,application/json',
  hidden: true,
  onchange: () => void openFile(),
});
record.className = 'pp-record';
view.tools.append(pause, record, load, scheme, file);

const slider = h('input', {
  type: 'range',
  min: 0,
  value: 0,
  'aria-label': 'Time in the recording',
  oninput: () => seek(Number(slider.value)),
});
const play = button('Play', 'Go on by itself', () => togglePlay());
const time = h('span', { class: 'pp-time' });
const back = button('Back to live', 'Leave the recording', () => leave());
const bar = h('div', { class: 'pp-player', hidden: true }, play, slider, time, back);
root.append(bar);

function show(look: Look): void {
  view.update(look);
  if (look.state === 'closing') view.say('The pool is closing: it waits for what threads still hold.');
  else if (look.state === 'destroyed') view.say('The pool has been closed. This is how it ended.');
  else view.say('');
}

const source = new EventSource('/events');
source.addEventListener('message', ({ data }: MessageEvent<string>) => {
  heardMs = performance.now();
  const frame = JSON.parse(data) as Frame;
  const look = unpacker.next(frame);
  last = look;
  recorder.add(frame, look);
  if (recorder.isRecording) record.textContent = `Stop · ${recorder.count}`;
  if (recorder.isFull) toggleRecording();
  if (player !== null) return;
  if (isPaused) view.pass(look);
  else show(look);
});
source.addEventListener('open', () => {
  unpacker = new Unpacker();
  heardMs = performance.now();
});
source.addEventListener('end', () => {
  isEnded = true;
  source.close();
  lose('The inspector was closed.');
});

setInterval(() => {
  if (isEnded || performance.now() - heardMs < SILENT_MS) return;
  const isRefused = source.readyState === EventSource.CLOSED;
  lose(
    isRefused
      ? 'The server refuses this page: open the address that it printed.'
      : 'The process has ended, or does not answer.',
  );
}, 500);

/** Nothing comes any more. */
function lose(reason: string): void {
  if (player !== null) return;
  view.setState('not connected');
  view.say(`${reason}${last === null ? '' : ` What you see is the last look, of ${clock(last.at)}.`}`, true);
}

function setPaused(isSo: boolean): void {
  isPaused = isSo;
  pause.textContent = isSo ? 'Go on' : 'Pause';
  pause.setAttribute('aria-pressed', String(isSo));
  if (!isSo && last !== null && player === null) show(last);
}

function toggleRecording(): void {
  if (!recorder.isRecording) {
    recorder.start();
    record.textContent = 'Stop · 0';
    record.setAttribute('aria-pressed', 'true');
    return;
  }
  const recording = recorder.stop();
  record.textContent = 'Record';
  record.setAttribute('aria-pressed', 'false');
  const at = new Date().toISOString().slice(0, 19).replace(/:/g, '-');
  saveFile(`pagepool-${last?.name.replace(/[^\w-]+/g, '-') ?? ''}-${at}.json`, JSON.stringify(recording));
}

async function openFile(): Promise<void> {
  const [chosen] = file.files ?? [];
  file.value = '';
  if (chosen === undefined) return;
  try {
    player = new Player(readRecording(await chosen.text()));
  } catch (error) {
    return view.say(`${chosen.name}: ${(error as Error).message}.`, true);
  }
  view.clear();
  view.say('');
  bar.hidden = false;
  slider.max = String(player.length - 1);
  seek(0);
  setPlaying(true);
}

let timer: ReturnType<typeof setTimeout> | undefined;

function setPlaying(isSo: boolean): void {
  clearTimeout(timer);
  timer = undefined;
  play.textContent = isSo ? 'Stop' : 'Play';
  if (isSo) step();
}

function togglePlay(): void {
  const isPlaying = timer !== undefined;
  if (!isPlaying && player !== null && player.at >= player.length - 1) seek(0);
  setPlaying(!isPlaying);
}

/** Shows the next frame when its time has come. */
function step(): void {
  if (player === null || player.at >= player.length - 1) {
    setPlaying(false);
    return;
  }
  const waitMs = player.timeOf(player.at + 1) - player.timeOf(player.at);
  timer = setTimeout(
    () => {
      if (player === null) return;
      seek(player.at + 1);
      step();
    },
    Math.min(2000, Math.max(0, waitMs)),
  );
}

function seek(frame: number): void {
  if (player === null) return;
  const { isAnew, looks } = player.goTo(frame);
  if (isAnew) view.clear();
  for (const look of looks.slice(0, -1)) view.pass(look);
  const look = looks.at(-1);
  if (look !== undefined) {
    show(look);
    view.setState('recording');
  }
  slider.value = String(player.at);
  time.textContent = `${clock(player.timeOf(player.at))} · ${span(player.timeOf(player.at) - player.timeOf(0))}`;
}

function leave(): void {
  setPlaying(false);
  player = null;
  bar.hidden = true;
  view.clear();
  if (last !== null) show(last);
}

/** As the system has it, or as the user chose here; the style sheet goes by what is shown. */
function setScheme(chosen: string): void {
  const { dataset } = document.documentElement;
  dataset.scheme = chosen;
  const isDark = chosen === 'dark' || (chosen !== 'light' && systemDark.matches);
  dataset.shown = isDark ? 'dark' : 'light';
  scheme.textContent = chosen === 'light' ? 'Light' : chosen === 'dark' ? 'Dark' : 'Auto';
  view.recolour();
}

function nextScheme(): void {
  const at = SCHEMES.indexOf(document.documentElement.dataset.scheme as (typeof SCHEMES)[number]);
  const next = SCHEMES[(at + 1) % SCHEMES.length] as string;
  localStorage.setItem('pagepool-scheme', next);
  setScheme(next);
}

setScheme(localStorage.getItem('pagepool-scheme') ?? 'system');
systemDark.addEventListener('change', () => setScheme(document.documentElement.dataset.scheme as string));

document.addEventListener('keydown', (event) => {
  const target = event.target as HTMLElement;
  if (event.key !== ' ' || /^(?:BUTTON|INPUT|SUMMARY|CANVAS)$/.test(target.tagName)) return;
  event.preventDefault();
  if (player !== null) togglePlay();
  else setPaused(!isPaused);
});
