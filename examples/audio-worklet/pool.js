// How this example uses its pool: an audio worklet writes each block of samples into a page, a worker receives it, and
// passes the page on to the scope. The channel is the ring between them.
//
// The audio thread never waits and never allocates. When the worker is late and the ring is full, the newest block is
// dropped and counted (an xrun), and the sound goes on.

import { PagePool } from '/pagepool/index.js';
import { workletUrl } from '/pagepool/web.js';

/** Room for two thirds of a second of blocks. */
export function createSoundPool() {
  return PagePool.create({
    name: 'sound',
    pageBytes: 512, // a block of 128 samples
    pageCount: 320, // more than wait in both channels: threads always find one to write to
    channels: {
      blocks: { capacity: 256, whenFull: 'drop-newest' },
      scope: { capacity: 32, whenFull: 'drop-oldest' },
    },
  });
}

/** A node that hands on what it hears, and passes it through. */
export async function createRecorder(context, pool) {
  // Named as a worker, so that bundlers find it with all that it imports.
  const start = () => new Worker(new URL('./recorder.js', import.meta.url), { type: 'module' });
  await context.audioWorklet.addModule(workletUrl(start));
  return new AudioWorkletNode(context, 'recorder', { processorOptions: { share: pool.share() } });
}

/** Nothing more is recorded, and the channel is closed. How many blocks were recorded, and how many had no room. */
export function endRecorder({ port }) {
  return new Promise((resolve) => {
    port.onmessage = ({ data }) => resolve(data);
    port.postMessage('stop');
  });
}

/** Starts a worker on the pool. What it holds comes home when it ends, in whatever way. */
export function startAnalyser(pool, label, rate) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: label });
  pool.watch(worker);
  worker.postMessage({ share: pool.share(), label, rate });
  return worker;
}

/** Hands over the samples of each block for the scope, and its number: they are the pool's until the call is back. */
export function receiveBlocks(pool, onBlock) {
  const scope = pool.channel('scope');
  for (let fragment = scope.receive(); fragment !== null; fragment = scope.receive()) {
    const { buffer, byteOffset, length } = fragment.bytes;
    onBlock(new Float32Array(buffer, byteOffset, length / 4), fragment.tag);
    fragment.release();
  }
}

/** Counts every page and every reference, when the threads are done, and closes the pool. */
export async function closePool(pool) {
  pool.channel('scope').close();
  let left = 0; // of a worker that was killed
  for (const name of ['scope', 'blocks']) {
    for (let each = pool.channel(name).receive(); each; each = pool.channel(name).receive()) {
      each.release();
      if (name === 'blocks') left++;
    }
  }
  const { balanced } = pool.audit();
  const { inflight, isDestroyed } = await pool.close({ timeoutMs: 60_000 });
  return { left, balanced, used: inflight, isDestroyed };
}
