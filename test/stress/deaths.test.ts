// Threads that end at random moments while they do everything a thread can do: what they had comes back, and nothing is
// torn.
//
// In batches. After each the pool is quiet: no page is missing, no reference is left, the audit is exact and balanced,
// and every port can be claimed again. Prints its seed; SEED=n replays the choices (not the scheduling). LONG=1 ends a
// thousand threads with each engine.

import { Worker } from 'node:worker_threads';
import { type FragmentToken, PagePool } from 'pagepool';
import { describe, expect, it } from 'vitest';
import { layoutHash } from '#layout-hash';
import { claimPort } from '../../src/control/claims.js';
import { openShare } from '../../src/pool/share.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { mortalProgram } from '../support/program.js';
import { entryOf } from '../support/threads.js';
import { orHung, turns, until } from '../support/waiting.js';
import { CHANNELS } from './churn.js';
import { QUIET, type Quiet, settleAll } from './quiet.js';

type EngineName = 'wasm' | 'typescript';
const isLong = process.env.LONG === '1';
const RUNS: readonly (readonly [name: string, engines: readonly EngineName[], deaths: number])[] = [
  ['wasm', ['wasm'], isLong ? 1000 : 24],
  ['typescript', ['typescript'], isLong ? 1000 : 24],
  ['both engines', ['wasm', 'typescript'], isLong ? 300 : 16],
];
const BATCH = isLong ? 50 : 12;
const THREADS = 4;
const PAGES = 160;
const MAX_PORTS = THREADS + 2;
/** Fragments that all threads together check before the next one ends, at most. */
const CHECKS_A_DEATH = 2000;
const seed = chooseSeed('deaths');

/** One pool and the threads that live and die in it. */
class Stage {
  readonly pool: PagePool;
  readonly #engines: readonly EngineName[];
  readonly #source: URL;
  readonly #random: () => number;
  readonly #live = new Set<Worker>();
  readonly counts = new Int32Array(new SharedArrayBuffer(12));
  readonly failures: string[] = [];
  readonly ends: Record<string, number> = {};
  attached = 0;

  constructor(engines: readonly EngineName[], source: string, random: () => number) {
    this.#engines = engines;
    this.#source = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
    this.#random = random;
    this.pool = PagePool.createSync({
      pageCount: PAGES,
      pageBytes: 256,
      maxPorts: MAX_PORTS,
      channels: CHANNELS,
    });
  }

  /** Fragments that threads have checked so far. */
  get #checked(): number {
    return Atomics.load(this.counts, 0);
  }

  #below(limit: number): number {
    return this.#random() % limit;
  }

  /** Lets `deaths` threads live and end, some at a time. */
  async batch(deaths: number): Promise<void> {
    let left = deaths;
    const lane = async (): Promise<void> => {
      while (left-- > 0 && this.failures.length === 0) await this.#runOne();
    };
    await Promise.all(Array.from({ length: THREADS }, lane));
  }

  async #runOne(): Promise<void> {
    const engine = this.#engines[this.#below(this.#engines.length)] as EngineName;
    const seed = this.#random();
    const share = this.pool.share();
    const worker = new Worker(this.#source, {
      workerData: { entry: entryOf(seed & 1), share, engine, seed, counts: this.counts },
    });
    this.pool.watch(worker);
    this.#live.add(worker);
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.on('error', (error) => {
      if (error.message !== 'on purpose') this.failures.push(String(error.stack));
    });
    let portId: number | undefined;
    const attached = new Promise<void>((resolve) => {
      worker.on('message', (message: { portId?: number; failure?: string; token?: FragmentToken }) => {
        if (message.failure !== undefined) this.failures.push(message.failure);
        else if (message.token !== undefined) this.#pass(message);
        else {
          portId = message.portId;
          this.attached++;
          resolve();
        }
      });
    });
    // Every sixth does not live to attach.
    const isEarly = this.#below(6) === 0;
    const start = isEarly ? new Promise((resolve) => worker.once('online', resolve)) : attached;
    await orHung(Promise.race([start, exited]), 'a thread does not start');
    const wanted = this.#checked + this.#below(CHECKS_A_DEATH);
    if (isEarly) await turns(this.#below(40));
    else
      await until(
        () => this.#checked >= wanted || this.failures.length > 0,
        () => this.#checked,
      );
    const end = ['exit', 'throw', 'reject', ...Array(12).fill('terminate')][this.#below(15)] as string;
    this.ends[end] = (this.ends[end] ?? 0) + 1;
    if (end === 'terminate' || isEarly) await worker.terminate();
    else worker.postMessage({ end }); // heard when it returns to its event loop
    await orHung(exited, 'a thread does not end');
    this.#live.delete(worker);
    // Those that were on their way to it, and any other: too many of them, and nobody has a page to work with.
    this.pool.reclaimTokens(0);
    if (portId !== undefined && this.#isHeldBy(portId, seed)) this.failures.push(`port ${portId} was not reaped`);
  }

  /** Whether the port is still claimed by the thread of that seed. */
  #isHeldBy(portId: number, seed: number): boolean {
    const port = this.pool.stats().ports[portId];
    return port?.isClaimed === true && port.label === `mortal ${seed}`;
  }

  /** Hands a token on to any thread that lives, one that gets it or not; where there is none it is taken back. */
  #pass(message: object): void {
    const live = [...this.#live];
    if (live.length === 0) this.pool.reclaimTokens(0);
    else live[this.#below(live.length)]?.postMessage(message);
  }

  /** Nobody lives any more: nothing may be missing. */
  settle(): Quiet {
    const found = settleAll(this.pool, this.counts);
    expect({ ...found, failures: this.failures }).toMatchObject({ ...QUIET, failures: [] });
    return found;
  }

  /** Every port can be claimed. */
  claimAll(): number {
    const { memory, geometry } = openShare(this.pool.share(), layoutHash);
    let claimed = 1; // its own
    while (claimed < MAX_PORTS) {
      claimPort(memory, geometry);
      claimed++;
    }
    return claimed;
  }
}

describe('threads that end at any moment', () => {
  it.each(RUNS)('%s: nothing is missing, torn or left behind', async (name, engines, deaths) => {
    const stage = new Stage(engines, await mortalProgram(new URL('./mortal.ts', import.meta.url)), randomFrom(seed));
    const total = { unpinned: 0, suspects: 0, settled: 0 };
    let checked = 0;
    for (let done = 0; done < deaths; done += BATCH) {
      await stage.batch(Math.min(BATCH, deaths - done));
      const found = stage.settle();
      checked = found.checked;
      total.unpinned += found.unpinned;
      total.suspects += found.audit.suspects.length;
      total.settled += found.audit.settled.length;
    }
    const { repaired } = stage.pool.stats();
    const { attached, ends } = stage;
    console.log(`${name}: ${deaths} deaths ${JSON.stringify({ attached, ...ends, checked, repaired, ...total })}`);
    expect(attached).toBeGreaterThan(deaths / 2);
    expect(checked).toBeGreaterThan(deaths);
    expect(stage.claimAll()).toBe(MAX_PORTS);
  });
});
