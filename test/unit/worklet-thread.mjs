// A thread that attaches by pagepool/worklet, as an audio thread does, sends one page, and then stands idle: it never
// polls. Asked by a message, it tells what it finds, and leaves.
//
// workerData: { share, parts }; `parts`: what the thread loads besides.

import { parentPort, workerData } from 'node:worker_threads';

const at = (name) => new URL(`../../build/${name}.js`, import.meta.url).href;
const { parts, share } = workerData;
for (const part of parts) await import(at(part));
const { WorkletPool } = await import(at('worklet'));

/** What the call threw, as `code: message`. */
function refused(run) {
  try {
    run();
    return 'nothing';
  } catch ({ code, message }) {
    return `${code}: ${message}`;
  }
}

const pool = WorkletPool.attach(share);
const channel = pool.channel('out');
const samples = new Float32Array(128).fill(0.25);
let page = pool.tryAlloc();
while (page === 0) {
  await new Promise((resolve) => setTimeout(resolve, 1)); // a slab is fed little by little
  page = pool.tryAlloc();
}
pool.write(page, samples);
const result = {
  engine: pool.engine,
  isSent: channel.trySend(page, 0, 512, 7),
  again: refused(() => WorkletPool.attach(share)),
  unknown: refused(() => pool.channel('in')),
  handle: refused(() => pool.release(0.5)),
  stale: refused(() => pool.release(page)),
};
parentPort.once('message', () => {
  const { isClosed } = channel;
  pool.read(page, samples);
  pool.release(page);
  const found = { isClosed, page: pool.tryAlloc(), silence: samples.every((sample) => sample === 0) };
  pool.detach();
  parentPort.postMessage({ found });
});
parentPort.postMessage({ result });
