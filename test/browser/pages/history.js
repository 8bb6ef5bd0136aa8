// A page that is left with waits and a call outstanding, and comes back from the history: the same one, where the
// browser keeps it.

import { orHung } from '../support/waiting.js';
import { PagePool } from './both.js';
import { endPool } from './ending.js';

const flags = new URLSearchParams(location.search);
const pool = await PagePool.create({ pageCount: 8, channels: { work: {}, back: {} }, calls: { ask: {} } });
const worker = new Worker(new URL('./history-worker.js', import.meta.url), { type: 'module' });
const isReady = new Promise((resolve) => {
  worker.onmessage = resolve;
});
if (flags.has('watch')) await pool.watch(worker);
worker.postMessage(pool.share());
await isReady;

// Both are answered when the worker is told, behind the return.
const came = pool.channel('back').next();
const answer = pool.calls('ask').call(pool.take(8));
const shows = [];
addEventListener('pageshow', ({ persisted }) => shows.push(persisted));

globalThis.finish = async () => {
  pool.channel('work').sendFragment(pool.take(8));
  const fragment = await orHung(came, 'next');
  const reply = await orHung(answer, 'call');
  const got = [fragment.bytes[0], reply.bytes[0]];
  fragment.release();
  reply.release();
  worker.postMessage('leave');
  await new Promise((resolve) => {
    worker.onmessage = resolve;
  });
  worker.terminate();
  return { isKept: shows.includes(true), got, end: await endPool(pool) };
};
globalThis.isReady = true;
