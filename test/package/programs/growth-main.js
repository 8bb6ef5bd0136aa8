// Threads that attach while the pool's memory grows, and then only block: one of node:worker_threads, and where there
// are any one of the web. Prints what each got, and whom the pool's owner waited for.
//
//   growth-main.js [node | web]

import * as threads from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { slabs } from 'pagepool/providers';

// Says "hung", and nothing else.
const PATIENCE_MS = 120_000;
const EARLY = 20;
const ALL = 300;
const [, , kind] = process.argv;

// Each page is a slab of its own: every other one comes while the thread is there.
const provider = slabs({ slabBytes: 65536, keepBytes: 0 });
const pool = await PagePool.create({ provider, pageBytes: 65536, pageCount: 64, maxPorts: 4, channels: { work: {} } });
const share = pool.share(); // of before the pool grew
const work = pool.channel('work');
let sent = 0;

/** Sends pages, and waits for each. */
async function send(count) {
  for (const end = sent + count; sent < end; sent++) {
    const page = await pool.takeAsync(undefined, { timeoutMs: PATIENCE_MS, ref: true });
    page.bytes.fill(sent & 255);
    await work.sendAsync(page, sent, { timeoutMs: PATIENCE_MS, ref: true });
  }
}

function start() {
  if (kind === 'web') {
    const worker = new Worker(new URL('./growth-worker.js', import.meta.url), { type: 'module' });
    worker.postMessage(share);
    return (listener) => worker.addEventListener('message', ({ data }) => listener(data));
  }
  const worker = new threads.Worker(new URL('./growth-worker.js', import.meta.url), { workerData: share });
  worker.on('error', (error) => console.error(error));
  return (listener) => worker.on('message', listener);
}

const stray = [];
await send(EARLY);
const onMessage = start();
let waitedFor = [];
const look = setInterval(() => {
  const late = pool.stats().provider.owner.waitingFor;
  if (late.length > 0) waitedFor = late;
}, 1);
const refused = [];
const end = new Promise((resolve) => {
  onMessage((message) => {
    if (message?.received !== undefined) resolve(message);
    else if (message?.refused !== undefined) refused.push(message.refused);
    else stray.push(message);
  });
});
await send(ALL - EARLY);
work.close();
const { received, isRight } = await end;
clearInterval(look);
const { isDestroyed } = await pool.close({ timeoutMs: PATIENCE_MS, ref: true });
// Whom it waited for depends on the moment where the thread hears of memory by itself.
const isNamed = kind === 'web' ? waitedFor.length > 0 : true;
console.log(JSON.stringify({ received, isRight, isNamed, refused, stray, isDestroyed }));
if (kind === 'web') process.exit(0);
