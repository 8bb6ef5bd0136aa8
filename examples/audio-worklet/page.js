// A tone runs through an audio worklet, which hands each block of samples on to a worker without a copy and without
// garbage.
//
// OfflineAudioContext renders without a sound card, and faster than it sounds; AudioContext takes the same processor,
// and a microphone in place of the tone.

import { PagePool } from '/pagepool/index.js';
import { workletUrl } from '/pagepool/web.js';

const SECONDS = 2;
const RATE = 48000;

const pool = await PagePool.create({
  pageBytes: 4096, // eight blocks of 128 samples
  pageCount: 128,
  channels: { blocks: { capacity: 1024 } },
});
const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
pool.watch(worker); // what it holds comes back, should it die
const answer = new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => reject(new Error(event.message));
});
worker.postMessage({ share: pool.share(), rate: RATE });

const context = new OfflineAudioContext(1, SECONDS * RATE, RATE);
// Named as a worker, so that bundlers find it with all that it imports.
const start = () => new Worker(new URL('./recorder.js', import.meta.url), { type: 'module' });
await context.audioWorklet.addModule(workletUrl(start));
const processorOptions = { share: pool.share(), blocks: (SECONDS * RATE) / 128 };
const recorder = new AudioWorkletNode(context, 'recorder', { processorOptions });
const finished = new Promise((resolve) => {
  recorder.port.onmessage = ({ data }) => resolve(data);
});
const tone = new OscillatorNode(context, { frequency: 440 });
tone.connect(recorder).connect(context.destination);
tone.start();
await context.startRendering();

const { recorded, lost } = await finished;
const { blocks, peak, frequency } = await answer;
const { balanced } = pool.audit();
const { isDestroyed } = await pool.close({ timeoutMs: 60_000 });
const lines = [
  `${recorded} blocks recorded, ${lost} lost, ${blocks} received: ${Math.round(frequency)} Hz, peak ${peak.toFixed(2)}`,
  `audit ${balanced ? 'balanced' : 'NOT balanced'}; pool ${isDestroyed ? 'closed' : 'NOT closed'}`,
];
for (const line of lines) console.log(line);
document.querySelector('#result').textContent = lines.join('\n');
