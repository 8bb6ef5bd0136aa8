// The page: pictures, workers and buttons. What it does with the pools is in pool.js and device.js.

import * as show from '../web-gallery/gallery.js';
import { createDeviceFilter, openDevice } from './device.js';
import { BYTES, filterHere, HEIGHT, WIDTH } from './filter.js';
import { closePool, createPicturePool, filterByWorker, startWorker } from './pool.js';

const LABELS = ['painter', 'filter'];
const CHECK_EVERY = 15; // pictures

const context = show.find('#screen').getContext('2d', { alpha: false });
const image = new ImageData(WIDTH, HEIGHT);
const settings = { strength: 0, divide: 0, bitmap: undefined };
let run;

/** Everything from one start to the next stop. */
async function start() {
  const { device, name, reason } = await openDevice();
  const pool = await createPicturePool();
  run = {
    pool,
    workers: new Map(),
    ending: new AbortController(),
    map: new show.PageMap(show.find('#map'), pool, LABELS),
    plot: new show.Plot(show.find('#plot'), ['owner-2']),
    durations: new show.Durations(),
    rate: new show.Rate(),
    lastMs: 0,
    count: 0,
    compared: 0,
    unlike: undefined, // bytes that the device made otherwise, in the picture that was compared last
  };
  if (device !== undefined) await useDevice(device);
  offerPlaces(name, reason);
  const size = `${pool.pageCount} of ${pool.pageBytes / 1024} KiB: ${(pool.pageCount * pool.pageBytes) / 2 ** 20} MiB`;
  show.find('#size').textContent = size;
  inspect();
  for (const label of LABELS) startOne(label);
  run.filtering = filterAll();
  run.timers = [setInterval(look, 100), setInterval(() => run.plot.push([run.lastMs]), 250)];
  show.setState('running');
}

async function useDevice(device) {
  run.device = await createDeviceFilter(device, run.pool);
  run.deviceMap = new show.PageMap(show.find('#device-map'), run.device.pool, []);
  device.addEventListener('uncapturederror', ({ error }) => show.showError(error, 'graphics card'));
  const { device: used } = run;
  void device.lost.then(({ message }) => {
    if (run?.device === used && !run.ending.signal.aborted) show.showError(message, 'graphics card lost');
  });
}

/** Where the filter can run here; what there is no WebGPU for is said. */
function offerPlaces(name, reason) {
  const places = [['worker', 'In a worker']];
  if (run.device !== undefined) places.unshift(['device', `WebGPU: ${name}`]);
  show.find('#where').replaceChildren(...places.map(([value, text]) => new Option(text, value)));
  show.find('#device').hidden = run.device === undefined;
  show.find('#note').hidden = reason === undefined;
  if (reason !== undefined)
    show.find('#note').textContent = `${reason}: the same filter runs in a worker here, in JavaScript.`;
  show.say(run.device === undefined ? 'The filter runs in a worker' : `The filter runs on the graphics card: ${name}`);
}

/** Filters and shows one picture after the other, until the painter is done. */
async function filterAll() {
  const { ending, pool } = run;
  for await (const picture of pool.channel('pictures')) {
    try {
      if (!ending.signal.aborted) await filterOne(picture);
    } catch (error) {
      if (error.code === 'POOL_ERR_PEER_GONE') show.say('The call of that picture failed: the filter was gone');
      else if (!ending.signal.aborted) show.showError(error, 'filter');
    } finally {
      picture.release();
    }
  }
}

async function filterOne(picture) {
  const { durations, ending, pool, rate } = run;
  const { strength } = settings;
  const isOnDevice = show.find('#where').value === 'device';
  const beganMs = performance.now();
  const output = isOnDevice
    ? await run.device.filter(picture, strength)
    : await filterByWorker(pool, picture, ending.signal);
  run.lastMs = performance.now() - beganMs;
  durations.add(run.lastMs);
  rate.add();
  draw(picture, output);
  if (!isOnDevice) run.unlike = undefined;
  else if (run.count % CHECK_EVERY === 0) {
    run.unlike = compare(picture, output, strength);
    run.compared++;
  }
  run.count++;
  output.release();
}

/** The picture left of the divide, and the filtered one right of it. A canvas takes no shared memory: it is copied. */
function draw(picture, output) {
  const { divide } = settings;
  image.data.set(picture.bytes);
  context.putImageData(image, 0, 0, 0, 0, divide, HEIGHT);
  image.data.set(output.bytes);
  context.putImageData(image, 0, 0, divide, 0, WIDTH - divide, HEIGHT);
  context.fillStyle = '#ffffff';
  context.fillRect(divide - 1, 0, 2, HEIGHT);
}

const expected = new Uint8Array(BYTES);
/** How many bytes the device made otherwise than the processor makes them. */
function compare(picture, output, strength) {
  filterHere(picture.bytes, expected, strength);
  return output.bytes.reduce((count, byte, i) => count + (byte === expected[i] ? 0 : 1), 0);
}

function startOne(label) {
  const worker = startWorker(run.pool, label);
  const done = Promise.withResolvers();
  worker.onmessage = done.resolve;
  worker.onerror = (event) => {
    event.preventDefault();
    show.showError(event.message || 'its script could not be loaded', label);
    worker.terminate();
    end(label);
  };
  worker.postMessage(label === 'filter' ? { strength: settings.strength } : { bitmap: settings.bitmap });
  run.workers.set(label, { worker, done });
  setKill(label, 'Kill');
}

/** As if it had crashed: it has no time to release anything. */
async function kill(label) {
  const { pool, workers } = run;
  workers.get(label).worker.terminate();
  end(label);
  show.say(`The ${label} was killed`);
  const isThere = () => run.map.look().ports.some((port) => port.isClaimed && port.label === label);
  await show.until(() => run?.pool !== pool || !isThere());
  show.say(`The ${label} is gone, and what it held is home`);
}

function end(label) {
  run.workers.get(label)?.done.resolve();
  run.workers.delete(label);
  setKill(label, 'Start');
}

function setKill(label, does) {
  const button = show.find(`[data-worker="${label}"]`);
  button.textContent = `${does} the ${label}`;
  button.classList.toggle('kill', does === 'Kill');
}

function look() {
  run.deviceMap?.look();
  show.setFigures({
    pictures: run.count,
    rate: run.rate.perSecond,
    p50: run.durations.quantile(0.5),
    p99: run.durations.quantile(0.99),
    out: show.PageMap.outOf(run.map.look()),
    compared: run.compared,
    unlike: run.unlike === undefined ? '–' : `${run.unlike} bytes`,
  });
}

async function stop() {
  const { device, ending, filtering, map, pool, timers, workers } = run;
  ending.abort(); // a call that nobody takes any more is given up
  const painter = workers.get('painter');
  painter?.worker.postMessage({ isStopped: true });
  await painter?.done.promise;
  pool.channel('pictures').close(); // by the painter already, unless it was killed
  await filtering;
  look();
  for (const timer of timers) clearInterval(timer);
  const isDeviceClosed = device === undefined || (await device.close());
  const { balanced, used, isDestroyed } = await closePool(pool);
  map.look();
  run.deviceMap?.look();
  const isClosed = isDestroyed && isDeviceClosed;
  for (const { worker } of workers.values()) worker.terminate();
  for (const label of LABELS) end(label);
  const { count } = run;
  run = undefined;
  show.showEnd(
    `Stopped. ${count} pictures. Audit: balanced: ${balanced}, pages in use: ${used}, pool closed: ${isClosed}.`,
    balanced && used === 0 && isClosed,
  );
}

const inspect = show.offerInspector(() => run?.pool);

show.run(async () => {
  const press = show.offerStop(() => run !== undefined, start, stop);
  for (const label of LABELS) {
    show.find(`[data-worker="${label}"]`).onclick = () => {
      if (run === undefined || run.ending.signal.aborted) return;
      return run.workers.has(label) ? kill(label) : startOne(label);
    };
  }
  show.find('#file').onchange = async ({ target }) => {
    const [file] = target.files;
    try {
      settings.bitmap = await createImageBitmap(file);
    } catch (error) {
      return show.showError(error, `${file.name} is no picture that this browser knows`);
    }
    run?.workers.get('painter')?.worker.postMessage({ bitmap: settings.bitmap });
  };
  show.onSlider('#strength', (strength) => {
    settings.strength = strength;
    run?.workers.get('filter')?.worker.postMessage({ strength });
    return `${Math.round((100 * strength) / 256)} %`;
  });
  show.onSlider('#divide', (divide) => {
    settings.divide = divide;
    return '';
  });
  await press();
});
