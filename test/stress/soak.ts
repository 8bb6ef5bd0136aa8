// The soak, a program of its own: three workers with small heaps and their starter do everything that threads do with a
// pool, for a given number of turns, and the program prints what it found as one line of JSON.
//
//   node --expose-gc --max-old-space-size=64 soak.mjs <build> <engine> <provider> <seed> <turns>
//
// From the bundle; the public interface alone. Some turns block the event loop, by waiting or by work.

import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type * as Pagepool from 'pagepool';
import type { FragmentToken, PagePool as Pool, PoolShare } from 'pagepool';
import type * as Packets from 'pagepool/packet';
import type * as Providers from 'pagepool/providers';
import { CHANNELS, type Churn, createChurn } from './churn.js';
import { type Quiet, settleAll } from './quiet.js';

/** What the program prints. */
export interface Soaked {
  readonly failures: readonly string[];
  /** What threads did beside their churn, by its name. */
  readonly done: Readonly<Record<string, number>>;
  /** Resident bytes, after each of equally many turns, when every thread had collected its garbage lately. */
  readonly residentBytes: readonly number[];
  /** At the same moments: what lives in the heaps of all threads. */
  readonly heapBytes: readonly number[];
  /** And what buffers hold that the starter made, until no thread has them any more: slabs. */
  readonly bufferBytes: readonly number[];
  readonly quiet: Quiet;
  readonly stats: Pagepool.PoolStats;
  readonly closed: object;
}

interface Setup {
  readonly build: string;
  readonly share: PoolShare;
  readonly engine: 'wasm' | 'typescript';
  readonly seed: number;
  readonly counts: Int32Array;
  /** Of each thread: what lived in its heap when it collected last. */
  readonly heaps: Float64Array;
  /** Its place there: the first one serves calls. */
  readonly place: number;
}

const THREADS = 3;
const SAMPLES = 200;
const SERVED = 64;
/** Looks that show an error, a millisecond apart: a thread that runs at all has gone on meanwhile. */
const LOOKS_MAX = 20_000;
const pause = new Int32Array(new SharedArrayBuffer(4));
/** Words: those of the churn, and behind them how often each of these was done. */
const DONE = ['turns', 'packets', 'waits', 'blocked', 'asked', 'served', 'reports', 'attached', 'samples'] as const;
type Done = (typeof DONE)[number];
const word = (name: Done): number => 3 + DONE.indexOf(name);
/** How long a wait lasts that may be in vain. */
const SHORT = { timeoutMs: 2 };

/** A wait that may be in vain: null then. */
async function orNothing<T>(wait: Promise<T>): Promise<T | null> {
  try {
    return await wait;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'POOL_ERR_TIMEOUT' || code === 'POOL_ERR_PEER_GONE') return null;
    throw error;
  }
}

/** Everything that threads do beside their churn, on one thread's pool. */
function operations(pool: Pool, packets: typeof Packets, count: (name: Done) => void, isServer: boolean) {
  const messages = pool.channel('messages');
  const bells = pool.channel('bells');
  const calls = pool.calls('work');
  return {
    packet(size: number, tag: number): void {
      const packet = packets.takePacket(pool, size);
      if (packet !== null) {
        for (const view of packet) view.fill(tag & 255);
        const copy = packet.slice(0, size >> 1);
        if (!packets.sendPacket(messages, packet, tag)) packet.release();
        copy.release();
      }
      const came = packets.receivePacket(messages);
      if (came === null) return;
      const first = came.getUint8(0);
      for (const view of came) if (view.some((byte) => byte !== first)) throw new Error('a packet is torn');
      came.release();
      count('packets');
    },
    async wait(): Promise<void> {
      (await orNothing(pool.takeAsync(undefined, SHORT)))?.release();
      (await orNothing(bells.next(SHORT)))?.release();
      count('waits');
    },
    block(): void {
      const fragment = pool.take();
      if (fragment !== null && !bells.sendFragment(fragment)) fragment.release();
      if (bells.waitSync(SHORT.timeoutMs)) bells.receive()?.release();
      count('blocked');
    },
    async ask(value: number): Promise<void> {
      if (isServer) return; // it would wait for itself while it is busy
      const request = pool.take(SERVED);
      if (request === null) return;
      request.bytes.fill(value & 127);
      const reply = await orNothing(calls.call(request, { timeoutMs: 20 }));
      if (reply === null) return;
      if (reply.bytes[0] !== (value & 127) + 1) throw new Error('a wrong answer');
      reply.release();
      count('asked');
    },
    report(): void {
      // A thread that is stopped inside a call moves nothing, and looks like an error until it goes on. Releases are
      // counted before the pages that came, so a look that is stopped in between sees too many.
      for (let looks = 1; ; looks++) {
        const { errors, exact } = pool.audit();
        const error = exact ? errors[0] : undefined;
        const { inflight } = pool.stats();
        if (error === undefined && inflight <= pool.pageCount) break;
        if (looks === LOOKS_MAX) throw new Error(`the audit says ${error}, and ${inflight} pages are in flight`);
        Atomics.wait(pause, 0, 0, 1);
      }
      count('reports');
    },
    serve(): Promise<void> {
      return calls.serve(
        ({ reply }) => {
          reply.bytes[0] = (reply.bytes[0] as number) + 1;
          count('served');
          return 1;
        },
        { concurrency: 2 },
      );
    },
  };
}

async function runThread({ build, share, engine, seed, counts, heaps, place }: Setup): Promise<void> {
  const isServer = place === 0;
  for (const part of ['areas', 'calls', 'typescript']) await import(`${build}${part}.js`);
  const { PagePool } = (await import(`${build}index.js`)) as typeof Pagepool;
  const packets = (await import(`${build}packet.js`)) as typeof Packets;
  const count = (name: Done): void => void Atomics.add(counts, word(name), 1);
  const fail = (failure: unknown): never => {
    parentPort?.postMessage({ failure: String((failure as Error)?.stack ?? failure) });
    process.exit(1);
  };
  let pool!: Pool;
  let churn!: Churn;
  let does!: ReturnType<typeof operations>;
  const attach = (): void => {
    pool = PagePool.attach({ ...share, engine } as PoolShare, { label: `soak ${seed}` });
    churn = createChurn({
      pool,
      seed,
      counts,
      lend: (token, value) => parentPort?.postMessage({ token, value }),
      fail,
    });
    does = operations(pool, packets, count, isServer);
    if (isServer) does.serve().catch(fail);
    count('attached');
  };
  attach();
  let isOver = false;
  parentPort?.on('message', ({ token, value }: { token?: FragmentToken; value: number }) => {
    if (token === undefined) isOver = true;
    else churn.adopt(token, value);
  });
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  let collected = 0;
  for (let turn = 1; !isOver; turn++) {
    // Garbage stays as long as the heap has room, and dropped slabs with it: what a thread keeps shows behind that.
    const samples = Atomics.load(counts, word('samples'));
    if (samples !== collected) {
      collected = samples;
      globalThis.gc?.();
      heaps[place] = process.memoryUsage().heapUsed;
    }
    churn.run();
    does.packet(1 + below(3 * pool.pageBytes), turn);
    if (below(4) === 0) await does.wait();
    if (below(8) === 0) does.block();
    if (below(2) === 0) await does.ask(turn);
    if (below(50) === 0) does.report();
    if (below(200) === 0) {
      pool.detach({ release: true });
      attach();
    }
    count('turns');
    await new Promise((resolve) => setImmediate(resolve));
  }
  pool.detach({ release: true });
  parentPort?.close();
}

async function runAll([build, engine, provider, seed, turns]: readonly string[]): Promise<Soaked> {
  for (const part of ['calls', 'typescript']) await import(`${build}${part}.js`);
  const { PagePool } = (await import(`${build}index.js`)) as typeof Pagepool;
  const { slabs } = (await import(`${build}providers.js`)) as typeof Providers;
  const packets = (await import(`${build}packet.js`)) as typeof Packets;
  const pool = await PagePool.create({
    engine: engine as 'wasm' | 'typescript',
    ...(provider === 'slab' ? { provider: slabs({ slabBytes: 65536, keepBytes: 0, idleMs: 50 }) } : {}),
    pageBytes: 1024,
    pageCount: 160,
    maxPorts: THREADS + 2,
    channels: { ...CHANNELS, messages: { capacity: 32, batch: 8 }, bells: { capacity: 8 } },
    calls: { work: { capacity: 4 } },
  });
  const counts = new Int32Array(new SharedArrayBuffer(4 * (3 + DONE.length)));
  const heaps = new Float64Array(new SharedArrayBuffer(8 * THREADS));
  const failures: string[] = [];
  const workers = Array.from({ length: THREADS }, (_, i) => {
    // Each of the churn's three ways to go on: some rarely return to their event loop.
    const workerSeed = 3 * Number(seed) + i;
    const setup = { build, share: pool.share(), engine, seed: workerSeed, counts, heaps, place: i };
    const worker = new Worker(new URL(import.meta.url), {
      workerData: setup,
      resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 },
    });
    pool.watch(worker);
    worker.on('error', (error) => failures.push(String(error.stack)));
    worker.on('message', (message: { failure?: string; token?: FragmentToken }) => {
      if (message.failure !== undefined) failures.push(message.failure);
      else workers[(i + 1) % THREADS]?.postMessage(message);
    });
    return worker;
  });
  const exits = workers.map((worker) => once(worker, 'exit').catch(() => {}));
  const total = Number(turns);
  const residentBytes: number[] = [];
  const heapBytes: number[] = [];
  const bufferBytes: number[] = [];
  for (let done = 0; done < total && failures.length === 0; ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    done = Atomics.load(counts, word('turns'));
    pool.reclaimTokens(10_000);
    if (done < ((residentBytes.length + 1) * total) / SAMPLES) continue;
    globalThis.gc?.();
    const { arrayBuffers, heapUsed, rss } = process.memoryUsage();
    residentBytes.push(rss);
    heapBytes.push(heaps.reduce((sum, bytes) => sum + bytes, heapUsed));
    bufferBytes.push(arrayBuffers);
    Atomics.add(counts, word('samples'), 1);
  }
  for (const worker of workers) worker.postMessage({ value: 0 });
  await Promise.all(exits);
  const messages = pool.channel('messages');
  const bells = pool.channel('bells');
  for (let left = packets.receivePacket(messages); left !== null; left = packets.receivePacket(messages))
    left.release();
  for (let left = bells.receive(); left !== null; left = bells.receive()) left.release();
  settleAll(pool, counts);
  // Calls that were given up lie in their queue until somebody serves.
  const over = new AbortController();
  const served = pool.calls('work').serve(() => 1, { signal: over.signal });
  while (pool.audit().references.channels > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  over.abort();
  await served;
  const quiet = settleAll(pool, counts);
  const stats = pool.stats();
  const done = Object.fromEntries(DONE.map((name) => [name, counts[word(name)] as number]));
  done.dropped = Number(stats.provider.owner?.description?.droppedSlabs ?? 0);
  return { failures, done, residentBytes, heapBytes, bufferBytes, quiet, stats, closed: await pool.close() };
}

if (isMainThread) console.log(JSON.stringify(await runAll(process.argv.slice(2))));
else await runThread(workerData as Setup);
