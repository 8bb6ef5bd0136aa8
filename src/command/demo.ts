// `pagepool demo`: a pool at work in four threads, with the inspector on it. Keys kill a thread, slow the last one,
// or let one keep pages, so that the page shows what each looks like.

import { realpathSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { serveInspector } from '../inspector/serve.js';
import type { Fragment } from '../pool/fragment.js';
import { loadLeaks } from '../pool/loaded-leaks.js';
import { PagePool } from '../pool/page-pool.js';
import { trackPort } from '../pool/track-port.js';
import type { DemoStart, Role, ToThread } from './demo-thread.js';

const THREADS: readonly (readonly [label: string, role: Role])[] = [
  ['reader', 'reader'],
  ['parser-1', 'parser'],
  ['parser-2', 'parser'],
  ['store', 'store'],
];
const PAGES = 1024;
/** Pages that the first thread keeps in turn, so that there are stacks to see. */
const TABLE_PAGES = 12;
const TABLE_MS = 5000;
/** A killed thread is started anew after so long. */
const AGAIN_MS = 4000;
const KEEPS = 64;

const KEYS = `  k  kill a thread: its port is reaped, its pages come home, and it is started anew
  s  let the store be slow, or fast again: findings show what that does
  l  let a parser keep ${KEEPS} pages
  q  end, as Ctrl-C does`;

/** Runs until it is ended; the exit code. */
export async function demo({ killS, port }: { readonly killS: number; readonly port: number }): Promise<number> {
  loadLeaks(trackPort);
  const pool = await PagePool.create({
    name: 'demo',
    pageBytes: 4096,
    pageCount: PAGES,
    channels: { lines: { capacity: 192 }, rows: { capacity: 192 } },
    leaks: 'all',
  });
  const threads = new Map<string, Worker>();
  let isEnding = false;
  let killer: NodeJS.Timeout | undefined;
  let nextKill = 0;
  // Before the threads: on a busy machine its time comes before the inspector serves.
  const kill = (): void => {
    const [label] = THREADS[1 + (nextKill++ % 3)] as (typeof THREADS)[number];
    clearTimeout(killer);
    console.log(`${label} is killed`);
    void threads.get(label)?.terminate();
  };
  const start = (label: string, role: Role): void => {
    if (isEnding) return;
    const workerData: DemoStart = { share: pool.share(), label };
    const env = { ...process.env, PAGEPOOL_DEMO_ROLE: role };
    const worker = new Worker(realpathSync(process.argv[1] as string), { workerData, env, name: label });
    pool.watch(worker);
    threads.set(label, worker);
    // While one is missing the others wait: what a death leaves is seen when all have been at work.
    clearTimeout(killer);
    if (killS > 0 && threads.size === THREADS.length) killer = setTimeout(() => kill(), 1000 * killS);
    // A thread that was about to attach when the demo ends finds no pool.
    worker.once('error', (error) => isEnding || console.error(`${label}: ${error}`));
    worker.once('exit', () => {
      threads.delete(label);
      if (!isEnding) setTimeout(start, AGAIN_MS, label, role).unref();
    });
  };
  for (const [label, role] of THREADS) start(label, role);
  const table = keepTable(pool);
  const inspector = await serveInspector(pool, { port });
  let isSlow = false;
  const say = (label: string, message: ToThread): void => threads.get(label)?.postMessage(message);
  // Before the address is said: who reads it may end the demo at once.
  const done = untilEnded({
    k: kill,
    s: () => {
      isSlow = !isSlow;
      console.log(isSlow ? 'the store is slow' : 'the store is fast');
      say('store', { isSlow });
    },
    l: () => {
      console.log(`parser-1 keeps ${KEEPS} pages`);
      say('parser-1', { keeps: KEEPS });
    },
  });
  console.log(`A pool of ${PAGES} pages at work in ${THREADS.length} threads. Open\n\n  ${inspector.url}\n`);
  console.log(process.stdin.isTTY ? `Keys:\n${KEYS}\n` : 'Ctrl-C ends it.\n');
  await done;
  isEnding = true;
  clearTimeout(killer);
  table.end();
  const ended = [...threads.values()].map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  for (const [label] of THREADS) say(label, { isEnding: true });
  pool.destroy();
  await Promise.all(ended);
  const { isDestroyed } = await pool.close({ timeoutMs: 5000 });
  await inspector.close();
  return isDestroyed ? 0 : 1;
}

/** Keeps some pages in this thread, each for a while. */
function keepTable(pool: PagePool<{ channels: 'lines' | 'rows' }>): { end(): void } {
  const entries: Fragment[] = [];
  const timer = setInterval(() => {
    if (entries.length >= TABLE_PAGES) entries.shift()?.release();
    const entry = pool.take(1024);
    if (entry !== null) entries.push(entry);
  }, TABLE_MS / TABLE_PAGES);
  return {
    end: () => {
      clearInterval(timer);
      for (const entry of entries) entry.release();
    },
  };
}

/** Resolves when the user ends it: by a key, by a signal, or with the end of standard input. */
function untilEnded(keys: Readonly<Record<string, () => void>>): Promise<void> {
  return new Promise((resolve) => {
    const { stdin } = process;
    const end = (): void => {
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
      // A pipe whose other side stays open reads ahead, although it is paused, and would hold the process.
      (stdin as Partial<typeof stdin>).unref?.();
      resolve();
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
    if (stdin.isTTY) stdin.setRawMode(true);
    stdin.setEncoding('utf8');
    stdin.on('data', (text: string) => {
      for (const key of text) {
        if (key === 'q' || key === '\u0003') end();
        else keys[key]?.();
      }
    });
    // Without a terminal, such as in a container, it runs until a signal comes.
    if (stdin.isTTY) stdin.once('end', end);
  });
}
