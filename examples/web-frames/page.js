// The page: camera, screen, workers and buttons. What it does with the pool is in pool.js.

import { drawFrame } from '/pagepool/web.js';
import * as show from '../web-gallery/gallery.js';
import { openCamera, openUserCamera, RADIUS } from './camera.js';
import { closePool, createFramePool, endOfFrames, newestFrame, sendFrame, startDetector } from './pool.js';

const LABELS = ['detector 1', 'detector 2'];

const context = show.find('#screen').getContext('2d');
const detectors = new Map(); // by label: { worker, done, box, seenMs }
let workMs = 0;
let run;

/** Everything from one start to the next stop. */
async function start() {
  const isUsers = show.find('#source').value === 'user';
  const camera = await (isUsers ? openUserCamera() : openCamera((error) => show.showError(error, 'camera')));
  const pool = await createFramePool(camera.config);
  run = {
    camera,
    pool,
    map: new show.PageMap(show.find('#map'), pool, LABELS),
    plot: new show.Plot(show.find('#plot'), ['owner-0', 'owner-2', 'bad']),
    latencies: new show.Durations(),
    rates: { camera: new show.Rate(), seen: new show.Rate() },
    copies: new Set(),
    counts: { frames: 0, seen: 0, skipped: 0, found: 0, missed: 0 },
    dropped: 0,
  };
  const size = `${pool.pageCount} of ${pool.pageBytes / 1024} KiB: ${(pool.pageCount * pool.pageBytes) / 2 ** 20} MiB`;
  show.find('#size').textContent = size;
  const { codedWidth, codedHeight } = camera.config;
  Object.assign(context.canvas, { width: codedWidth, height: codedHeight });
  inspect();
  for (const label of LABELS) startWorker(label);
  camera.start(onFrame);
  run.timers = [setInterval(look, 100), setInterval(plot, 250)];
  requestAnimationFrame(draw);
  show.setState('running');
  show.say(`The camera runs: ${camera.kind}`);
}

function onFrame(frame) {
  run.counts.frames++;
  run.rates.camera.add();
  const copy = sendFrame(run.pool, frame)
    .then((isSent) => {
      if (!isSent) run.counts.skipped++;
    })
    .catch((error) => show.showError(error, 'camera'))
    .finally(() => run.copies.delete(copy));
  run.copies.add(copy);
}

function startWorker(label) {
  const worker = startDetector(run.pool, label);
  const detector = { worker, done: Promise.withResolvers() };
  worker.onmessage = ({ data }) => (data === 'done' ? detector.done.resolve() : onSeen(detector, data));
  worker.onerror = (event) => {
    event.preventDefault();
    show.showError(event.message || 'its script could not be loaded', label);
    worker.terminate();
    end(label);
  };
  worker.postMessage({ workMs });
  detectors.set(label, detector);
  setKill(label, 'Kill');
}

function onSeen(detector, { timestamp, box }) {
  const { counts, latencies, rates } = run;
  counts.seen++;
  rates.seen.add();
  latencies.add(performance.now() - timestamp / 1000);
  if (box === null) return;
  Object.assign(detector, { box, seenMs: performance.now() });
  if (run.camera.ballAt === undefined) return; // nobody knows what moves there
  const { x, y } = run.camera.ballAt(timestamp / 1000);
  const isIn = (at, from, size) => at > from - RADIUS && at < from + size + RADIUS;
  if (isIn(x, box.x, box.width) && isIn(y, box.y, box.height)) counts.found++;
  else counts.missed++;
}

/** As if it had crashed: it has no time to release anything. */
async function kill(label) {
  const held = portOf(label)?.held ?? 0;
  detectors.get(label).worker.terminate();
  end(label);
  show.say(`${label} was killed while it held ${held === 1 ? 'a page' : `${held} pages`}`);
  const { pool } = run;
  await show.until(() => run?.pool !== pool || portOf(label) === undefined);
  show.say(`${label} is gone, and what it held is home`);
}

function end(label) {
  detectors.get(label)?.done.resolve();
  detectors.delete(label);
  setKill(label, 'Start');
}

const portOf = (label) => run.map.look().ports.find((port) => port.isClaimed && port.label === label);

function setKill(label, does) {
  const button = show.find(`[data-worker="${label}"]`);
  button.textContent = `${does} ${label}`;
  button.classList.toggle('kill', does === 'Kill');
}

function look() {
  const snapshot = run.map.look();
  const { counts, latencies, rates } = run;
  run.dropped = snapshot.channels.find(({ name }) => name === 'frames').dropped;
  show.setFigures({
    camera: rates.camera.perSecond,
    seen: rates.seen.perSecond,
    dropped: run.dropped,
    skipped: counts.skipped,
    p50: latencies.quantile(0.5),
    p99: latencies.quantile(0.99),
    out: show.PageMap.outOf(snapshot),
    found: `${counts.found} of ${counts.found + counts.missed}`,
  });
}

let droppedBefore = 0;
function plot() {
  const { rates } = run;
  const dropped = 4 * Math.max(0, run.dropped - droppedBefore);
  droppedBefore = run.dropped;
  run.plot.push([rates.camera.perSecond, rates.seen.perSecond, dropped]);
}

/** The newest frame, and what each detector saw last, in its colour of the map. */
function draw() {
  if (run === undefined) return;
  requestAnimationFrame(draw);
  const fragment = newestFrame(run.pool);
  if (fragment === null) return;
  drawFrame(context, fragment, 0, 0, context.canvas.width, context.canvas.height);
  fragment.release();
  for (const [label, { box, seenMs }] of detectors) {
    if (box !== undefined && performance.now() - seenMs < 1000) drawBox(label, box);
  }
}

function drawBox(label, { x, y, width, height }) {
  const number = LABELS.indexOf(label);
  const paint = show.colour(`owner-${1 + number}`);
  context.strokeStyle = paint;
  context.lineWidth = 3;
  context.strokeRect(x - 6, y - 6, width + 12, height + 12);
  context.font = '600 13px system-ui, sans-serif';
  const top = number === 0 ? y - 26 : y + height + 6; // both names can be read where the boxes are one
  context.fillStyle = paint;
  context.fillRect(x - 7, top, context.measureText(label).width + 12, 20);
  context.fillStyle = '#0b0e13';
  context.fillText(label, x - 1, top + 15);
}

async function stop() {
  const { camera, copies, counts, pool, timers } = run;
  run.isStopping = true;
  await camera.stop();
  await Promise.all(copies);
  endOfFrames(pool);
  await Promise.all([...detectors.values()].map(({ done }) => done.promise));
  look();
  const frames = `${counts.frames} frames: ${counts.seen} looked at, ${run.dropped} dropped`;
  for (const timer of timers) clearInterval(timer);
  const { balanced, used, isDestroyed } = await closePool(pool);
  run.map.look();
  run = undefined;
  for (const { worker } of detectors.values()) worker.terminate();
  for (const label of LABELS) end(label);
  show.showEnd(
    `Stopped. ${frames}, ${counts.skipped} without a page. Audit: balanced: ${balanced}, pages in use: ${used}, ` +
      `pool closed: ${isDestroyed}.`,
    balanced && used === 0 && isDestroyed,
  );
}

const inspect = show.offerInspector(() => run?.pool);

show.run(async () => {
  const press = show.offerStop(() => run !== undefined, start, stop);
  for (const label of LABELS) {
    show.find(`[data-worker="${label}"]`).onclick = () => {
      if (run !== undefined && !run.isStopping) return detectors.has(label) ? kill(label) : startWorker(label);
    };
  }
  show.onSlider('#work', (ms) => {
    workMs = ms;
    for (const { worker } of detectors.values()) worker.postMessage({ workMs });
    return `${ms} ms`;
  });
  show.find('#source').onchange = async () => {
    if (run !== undefined && !run.isStopping) await press();
    await press();
  };
  await press();
});
