// The page: sound, scope and buttons. What it does with the pool is in pool.js.

import * as show from '../web-gallery/gallery.js';
import { closePool, createRecorder, createSoundPool, endRecorder, receiveBlocks, startAnalyser } from './pool.js';

const LABEL = 'analyser';
const SILENT_MS = 10_000;

const settings = { frequency: 440, loudness: 0.1, workMs: 0 };
let run;

/** Everything from one start to the next stop: begun by a click, since browsers start sound for no other. */
async function start() {
  const context = new AudioContext();
  await startSound(context);
  const pool = await createSoundPool();
  const recorder = await createRecorder(context, pool);
  recorder.onprocessorerror = () => show.showError('it threw, and is silent now', 'audio worklet');
  const volume = new GainNode(context);
  recorder.connect(volume).connect(context.destination);
  run = {
    context,
    pool,
    recorder,
    volume,
    map: new show.PageMap(show.find('#map'), pool, ['audio thread', LABEL]),
    plot: new show.Plot(show.find('#plot'), ['owner-0', 'bad']),
    heard: undefined,
    xrunsBefore: 0,
  };
  const bytes = (pool.pageCount * pool.pageBytes) / 1024;
  show.find('#size').textContent = `${pool.pageCount} of ${pool.pageBytes} bytes: ${bytes} KiB`;
  inspect();
  startWorker();
  run.timers = [setInterval(look, 100), setInterval(plot, 250)];
  requestAnimationFrame(draw);
  await connectSource();
  show.setState('running');
  show.find('#kill').disabled = false;
  show.say(`The sound runs, at ${context.sampleRate} samples a second`);
}

/** A browser without a sound device waits for one, and does not say so. */
async function startSound(context) {
  const timer = Promise.withResolvers();
  const silence = setTimeout(timer.resolve, SILENT_MS);
  await Promise.race([context.resume(), timer.promise]);
  clearTimeout(silence);
  if (context.state === 'running') return;
  void context.close();
  throw new Error('The browser starts no sound. Is there a device to play it, and may this page use it?');
}

/** A tone, or the microphone, which is recorded and not played: it would hear itself. */
async function connectSource() {
  const current = run;
  const stream = show.find('#source').value === 'microphone' ? await openMicrophone() : undefined;
  if (run !== current) return stopTracks(stream); // it was stopped meanwhile
  const { context, recorder, volume } = run;
  endSource();
  const tone = stream === undefined ? new OscillatorNode(context, { frequency: settings.frequency }) : undefined;
  const source = tone ?? new MediaStreamAudioSourceNode(context, { mediaStream: stream });
  tone?.start();
  source.connect(recorder);
  volume.gain.value = tone === undefined ? 0 : settings.loudness;
  Object.assign(run, { source, stream, tone });
}

async function openMicrophone() {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    show.showError(error, 'The microphone cannot be used');
    show.find('#source').value = 'tone';
  }
}

function endSource() {
  run.source?.disconnect();
  stopTracks(run.stream);
}

function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function startWorker() {
  const worker = startAnalyser(run.pool, LABEL, run.context.sampleRate);
  run.worker = worker;
  run.done = Promise.withResolvers();
  const { done } = run;
  worker.onmessage = ({ data }) => {
    if (data.isDone) done.resolve(data.blocks);
    else run.heard = data;
  };
  worker.onerror = (event) => {
    event.preventDefault();
    show.showError(event.message || 'its script could not be loaded', LABEL);
    worker.terminate();
    end();
  };
  worker.postMessage({ workMs: settings.workMs });
  show.find('#kill').textContent = 'Kill the analyser';
}

/** As if it had crashed: it has no time to release anything. */
async function kill() {
  const { pool, worker } = run;
  worker.terminate();
  end();
  show.say('The analyser was killed: the ring fills up, and the sound goes on');
  const isThere = () => run.map.look().ports.some(({ isClaimed, label }) => isClaimed && label === LABEL);
  await show.until(() => run?.pool !== pool || !isThere());
  show.say('The analyser is gone, and what it held is home');
}

function end() {
  run.done.resolve(0);
  run.worker = undefined;
  run.heard = undefined;
  show.find('#kill').textContent = 'Start the analyser';
}

function look() {
  const snapshot = run.map.look();
  const { capacity, dropped, pending } = snapshot.channels.find(({ name }) => name === 'blocks');
  run.dropped = dropped;
  run.pending = pending;
  show.setFigures({
    rate: Math.round(run.context.sampleRate / 128),
    xruns: dropped,
    ring: `${pending} of ${capacity}`,
    late: `${((1000 * 128 * pending) / run.context.sampleRate).toFixed(0)} ms`,
    heard: run.heard === undefined ? '–' : `${run.heard.frequency.toFixed(0)} Hz`,
    peak: run.heard === undefined ? '–' : run.heard.peak.toFixed(2),
    out: show.PageMap.outOf(snapshot),
  });
}

function plot() {
  run.plot.push([run.pending, 4 * (run.dropped - run.xrunsBefore)]);
  run.xrunsBefore = run.dropped;
}

/** The last eight blocks, when they follow each other. */
function draw() {
  if (run === undefined) return;
  requestAnimationFrame(draw);
  let isNew = false;
  receiveBlocks(run.pool, (block, number) => {
    inRow = number === lastBlock + 1 ? inRow + 1 : 1;
    lastBlock = number;
    shown.copyWithin(0, block.length);
    shown.set(block, shown.length - block.length);
    isNew ||= inRow * block.length >= shown.length;
  });
  if (isNew) show.drawScope(show.find('#scope'), shown);
}

const shown = new Float32Array(1024);
let inRow = 0;
let lastBlock = 0;

async function stop() {
  const { context, done, map, pool, recorder, timers } = run;
  show.find('#kill').disabled = true;
  const { recorded, lost } = await endRecorder(recorder);
  endSource();
  const analysed = await done.promise;
  await context.close();
  look();
  for (const timer of timers) clearInterval(timer);
  const { dropped } = run;
  const { left, balanced, used, isDestroyed } = await closePool(pool);
  map.look();
  run.worker?.terminate();
  run = undefined;
  show.showEnd(
    `Stopped. ${recorded + lost} blocks: ${analysed} analysed, ${dropped} xruns, ${lost} without a page, ${left} left. ` +
      `Audit: balanced: ${balanced}, pages in use: ${used}, pool closed: ${isDestroyed}.`,
    balanced && used === 0 && isDestroyed,
  );
}

const inspect = show.offerInspector(() => run?.pool);

show.run(async () => {
  show.drawScope(show.find('#scope'), new Float32Array(1024));
  show.offerStop(() => run !== undefined, start, stop);
  show.find('#kill').onclick = () => (run.worker === undefined ? startWorker() : kill());
  show.find('#source').onchange = () => run && connectSource();
  show.onSlider('#frequency', (hertz) => {
    settings.frequency = hertz;
    if (run?.tone !== undefined) run.tone.frequency.value = hertz;
    return `${hertz} Hz`;
  });
  show.onSlider('#loudness', (percent) => {
    settings.loudness = percent / 100;
    if (run?.tone !== undefined) run.volume.gain.value = settings.loudness;
    return `${percent} %`;
  });
  show.onSlider('#work', (ms) => {
    settings.workMs = ms;
    run?.worker?.postMessage({ workMs: ms });
    return `${ms} ms`;
  });
});
