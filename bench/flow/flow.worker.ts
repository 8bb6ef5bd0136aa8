// The program of a case's process, and of the threads that receive.
//
//   flow.worker.js CASE VARIANT ENTRY     ENTRY: the package, or another build's index.js

import { isMainThread, Worker, workerData } from 'node:worker_threads';
import type { Fragment, PagePool, PoolShare } from 'pagepool';
import { answerRuns, countCollections, type Timed } from '../harness/processes.js';
import { quantileOf } from '../harness/statistics.js';
import { BLOCKED, CAPACITY_MAX, CONSUMER_MS, NAP_MS, TICK_MS } from './plan.js';

type Package = { readonly PagePool: typeof PagePool };

/** What a receiving thread gets. */
interface Setup {
  readonly flowReceiver: {
    readonly entry: string;
    readonly share: PoolShare;
    readonly counters: Int32Array;
    /** From before the send until the entry was received, ms, by the entries' numbers. */
    readonly latencies: Float64Array;
    readonly napMs: number;
  };
}

/** Counters that a process's threads share: microseconds of collections, entries received. */
const COLLECTED = 0;
const RECEIVED = 1;
const ENTRY_WORDS = 4;
const LATENCIES_MAX = 10_000;

const cell = new Int32Array(new SharedArrayBuffer(4));
/** Stands still; nobody else has the word. */
const nap = (ms: number): unknown => Atomics.wait(cell, 0, 0, ms);

/** The clock of the whole process. */
function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

// ---------------------------------------------------------------------------------- receiving

async function receive({ entry, share, counters, latencies, napMs }: Setup['flowReceiver']): Promise<void> {
  countCollections(counters, COLLECTED);
  const { PagePool } = (await import(entry)) as Package;
  const pool = PagePool.attach(share);
  const work = pool.channel('work');
  const words = pool.words(ENTRY_WORDS);
  while (work.waitSync()) {
    if (work.receiveBurst(words, 1) === 0) continue;
    const [handle = 0, , length = 0, number = 0] = words;
    if (length > 0) latencies[number] = nowMs() - (stampOf(pool, handle)[0] as number);
    pool.release(handle);
    Atomics.add(counters, RECEIVED, 1);
    if (napMs > 0) nap(napMs);
  }
}

/** When the entry was sent. */
function stampOf(pool: PagePool, handle: number): Float64Array {
  const bytes = pool.bytes(handle);
  return new Float64Array(bytes.buffer, bytes.byteOffset, 1);
}

function startReceiver(setup: Setup['flowReceiver']): void {
  new Worker(new URL(import.meta.url), { workerData: { flowReceiver: setup } satisfies Setup });
}

function latenciesOf(count: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(8 * count));
}

function attachedTo(pool: PagePool): number {
  return pool.stats().ports.filter(({ isClaimed }) => isClaimed).length;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}

// ---------------------------------------------------------------------------------- the cases

/** One sends, the others are blocked: each entry finds them asleep. */
async function startBlocked(entry: string, counters: Int32Array): Promise<(count: number) => Promise<Timed>> {
  const { PagePool } = (await import(entry)) as Package;
  const pool = await PagePool.create({ pageBytes: 256, pageCount: 256, channels: { work: { capacity: 64 } } });
  const work = pool.channel('work');
  const latencies = latenciesOf(LATENCIES_MAX);
  const share = pool.share();
  for (let i = 0; i < BLOCKED; i++) startReceiver({ entry, share, counters, latencies, napMs: 0 });
  await until(() => attachedTo(pool) === BLOCKED + 1);
  return async (count) => {
    Atomics.store(counters, RECEIVED, 0);
    for (let number = 0; number < count; number++) {
      nap(NAP_MS);
      const handle = pool.alloc();
      if (handle === 0) throw new Error('no page (expected as many as there are entries on their way)');
      stampOf(pool, handle)[0] = nowMs();
      if (!work.send(handle, 0, 8, number)) throw new Error('the channel is full (expected blocked receivers)');
    }
    while (Atomics.load(counters, RECEIVED) < count) nap(NAP_MS);
    const all = [...latencies.subarray(0, count)].map((ms) => ms * 1e6);
    return { operations: count, median: quantileOf(all, 0.5), p99: quantileOf(all, 0.99), samples: count };
  };
}

/** One sends into a full channel, as fast as there is room, while a timer tells how long its event loop stood still. */
async function startGap(variant: string, counters: Int32Array): Promise<(count: number) => Promise<Timed>> {
  const { PagePool } = await import('pagepool');
  const pool = await PagePool.create({ pageBytes: 256, pageCount: 1024, channels: { work: {} } });
  const work = pool.channel('work');
  const setup = { entry: 'pagepool', share: pool.share(), counters, latencies: latenciesOf(1), napMs: CONSUMER_MS };
  startReceiver(setup);
  await until(() => attachedTo(pool) === 2);
  const take = async (): Promise<Fragment> => pool.take(16) ?? (await pool.takeAsync(16));
  const send = variant.endsWith('sendAsync')
    ? (fragment: Fragment) => work.sendAsync(fragment)
    : async (fragment: Fragment) => {
        while (!work.sendFragment(fragment)) await work.waitRoom();
      };
  return async (count) => {
    let isFull = false;
    while (!isFull) {
      const fragment = await take();
      isFull = !work.sendFragment(fragment);
      if (isFull) fragment.release();
    }
    let last = performance.now();
    let longest = 0;
    let ticks = 0;
    const look = (): void => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      ticks++;
    };
    const timer = setInterval(look, TICK_MS);
    for (let i = 0; i < count; i++) await send(await take());
    clearInterval(timer);
    look();
    return { operations: count, median: longest * 1e6, p99: null, samples: ticks };
  };
}

/** The first wait of a process: nothing is compiled, and nothing was learned. */
async function startFirst(): Promise<() => Promise<Timed>> {
  const { PagePool } = await import('pagepool');
  const channels = { work: { capacity: CAPACITY_MAX } };
  const pool = await PagePool.create({ pageBytes: 256, unitBytes: 256, pageCount: 8, channels });
  const work = pool.channel('work');
  const words = pool.words(32 * ENTRY_WORDS);
  const handles = [pool.alloc(), pool.alloc()] as const;
  for (const handle of handles) pool.retain(handle, Math.ceil(CAPACITY_MAX / 2) + 64);
  for (let i = 0; ; i++) {
    for (let j = 0; j < 32; j++) words.set([handles[i & 1] as number, 0, 1, 0], j * ENTRY_WORDS);
    if (work.sendBurst(words, 32) < 32) break;
  }
  return async () => {
    const before = process.cpuUsage();
    // A timeout that would be over while V8 compiles ends the wait before it sleeps: half of the work.
    const wait = work.waitRoom({ timeoutMs: 60_000 });
    const { user, system } = process.cpuUsage(before);
    work.close();
    await wait.catch(() => {});
    return { operations: 1, median: (user + system) * 1000, p99: null, samples: 1 };
  };
}

async function measure(id: string, variant: string, entry: string): Promise<void> {
  const counters = new Int32Array(new SharedArrayBuffer(8));
  countCollections(counters, COLLECTED);
  const cases: Readonly<Record<string, () => Promise<(count: number) => Promise<Timed>>>> = {
    'flow.blocked': () => startBlocked(entry, counters),
    'flow.gap': () => startGap(variant, counters),
    'flow.first': startFirst,
  };
  const start = cases[id];
  if (start === undefined) throw new Error(`${id} (expected a case of the plan)`);
  const round = await start();
  process.on('disconnect', () => process.exit());
  answerRuns(counters, COLLECTED, round);
}

if (isMainThread) await measure(...(process.argv.slice(2) as [string, string, string]));
else if ((workerData as Partial<Setup> | null)?.flowReceiver !== undefined) {
  await receive((workerData as Setup).flowReceiver);
}
