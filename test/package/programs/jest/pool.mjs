// What the tests of every kind try: a pool, a worker that is watched, waits with the realm's own signals, and what the
// realm's own arrays, streams and texts are to the package.

import { ReadableStream } from 'node:stream/web';
import { Worker } from 'node:worker_threads';

const workerFile = new URL('./worker.mjs', import.meta.url);

/** What is found where all is well. */
export const right = {
  text: 'HELLO',
  copy: 5,
  exit: 0,
  burst: 2,
  view: 'AB',
  aborted: 'AbortError',
  streamed: 3,
  refused: [true, 'POOL_ERR_INVALID_ARGUMENT'],
  leaks: [],
  references: 0,
  isDestroyed: true,
};

/** What was found, as plain values. */
export async function tryPool({ PagePool, PagePoolError }, { decodeText, toUnshared }, { readStreamInto }, realm) {
  const pool = await PagePool.create({ pageCount: 8, leaks: 'all', channels: { work: {}, done: {} } });
  const [work, results] = [pool.channel('work'), pool.channel('done')];
  const worker = new Worker(workerFile, { workerData: pool.share() });
  pool.watch(worker);
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const fragment = pool.take(5);
  fragment.bytes.set(new realm.Uint8Array([104, 101, 108, 108, 111]));
  work.sendFragment(fragment);
  const came = await results.next();
  const found = { text: decodeText(came), copy: toUnshared(came).length };
  came.release();
  work.close();
  found.exit = await ended;

  const words = new realm.Uint32Array(2);
  const count = pool.allocBurst(words, 2);
  for (const handle of words.subarray(0, count)) pool.release(handle);
  found.burst = count;
  found.view = decodeText(new realm.Uint8Array([65, 66]));
  const stop = new realm.AbortController();
  const waiting = pool
    .channel('done')
    .next({ signal: stop.signal })
    .catch(({ name }) => name);
  stop.abort();
  found.aborted = await waiting;
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new realm.Uint8Array([1, 2, 3]));
      controller.close();
    },
  });
  found.streamed = 0;
  for await (const part of readStreamInto(pool, stream)) {
    found.streamed += part.length;
    part.release();
  }
  try {
    pool.take(-1);
  } catch (error) {
    found.refused = [error instanceof PagePoolError, error.code];
  }
  found.leaks = pool.leaks();
  found.references = pool.audit().references.ledgers;
  found.isDestroyed = (await pool.close({ timeoutMs: 60_000 })).isDestroyed;
  return found;
}
