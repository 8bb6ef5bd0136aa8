// The thread of growth-main.js: receives until the channel is closed. It blocks, and returns to its event loop only
// where the pool refuses to block for ever.

import * as threads from 'node:worker_threads';
import { PagePool } from 'pagepool';
import 'pagepool/areas';

const { parentPort, workerData } = threads;
const post = (message) => (parentPort ?? globalThis).postMessage(message);

async function run(share) {
  const pool = PagePool.attach(share, { label: 'blocked' });
  const work = pool.channel('work');
  let received = 0;
  let isRight = true;
  const take = (fragment) => {
    isRight &&= fragment.tag === received && fragment.bytes.every((byte) => byte === (received & 255));
    received++;
    fragment.release();
  };
  try {
    while (work.waitSync()) for (let one = work.receive(); one !== null; one = work.receive()) take(one);
  } catch (error) {
    post({ refused: error.code });
    for await (const fragment of work) take(fragment);
  }
  pool.detach();
  post({ received, isRight });
}

if (workerData?.kind === 'pagepool') await run(workerData);
else globalThis.onmessage = ({ data }) => run(data);
