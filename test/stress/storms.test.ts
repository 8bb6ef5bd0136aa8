// Storms of deaths in pools of every kind: few pages and many, few ports and many, all providers, reserves, threads of
// threads, several deaths at once, threads that end for want of stack or memory.
//
// Each storm has a pool of its own. At its end nobody lives but the pool's creator: no page is missing, none is torn,
// and the pool closes by itself. Prints its seed; SEED=n replays the choices (not the scheduling). LONG=1 ends 200
// threads with each engine, DEATHS=n as many.

import { Worker } from 'node:worker_threads';
import { type FragmentToken, type MemoryProvider, PagePool, type PoolOptions, wasmMemory } from 'pagepool';
import { slabs } from 'pagepool/providers';
import { userArea } from 'pagepool/user-area';
import { describe, expect, it } from 'vitest';
import { region } from '../../examples/providers/region.js';
import { type Witness, witness } from '../../src/testing/witness.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { mortalProgram } from '../support/program.js';
import { HUNG_MS, orHung, until } from '../support/waiting.js';
import { CHANNELS } from './churn.js';
import { QUIET, settleAll } from './quiet.js';
import { type End, LIMITS, type Setup, WORD } from './storm.js';

type EngineName = 'wasm' | 'typescript';
type Choose = <T>(list: readonly T[]) => T;

const isLong = process.env.LONG === '1';
const DEATHS = Number(process.env.DEATHS ?? (isLong ? 200 : 16));
/** Deaths of one storm, before its last threads end all at once. */
const DEATHS_A_STORM = isLong ? 24 : 8;
const PAGE_BYTES = [256, 1024, 4096];
const PAGES = [1, 2, 7, 31, 64, 160, 1000];
const PORTS = [4, 8, 16, 64];
const THREADS_MAX = 6;
/** Turns of work that all threads together do before the next one ends, at most. */
const TURNS_A_DEATH = 12;
const ENGINES = ['wasm', 'typescript', 'both'] as const;
const ENDS = ['exit', 'throw', 'reject', 'overflow', 'memory'] as const satisfies readonly End[];
const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;
const seed = chooseSeed('storms');

/** What a pool's pages come from; undefined: its own memory, which nobody watches. */
const PROVIDERS: Readonly<Record<string, (bytes: number) => MemoryProvider>> = {
  slab: () => slabs({ slabBytes: 65536, keepBytes: 0, idleMs: 20 }), // drops what is free under way
  region: () => region(),
  'user-area': (bytes) => userArea(new SharedArrayBuffer(bytes)),
};

/** The kinds of a pool, chosen at random. */
interface Plan {
  readonly engine: EngineName | 'both';
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly maxPorts: number;
  readonly provider: string;
  readonly reserve: string;
  readonly reservePages: number;
  readonly threads: number;
  readonly isNested: boolean;
}

function plan(engine: Plan['engine'], choose: Choose): Plan {
  const maxPorts = choose(PORTS);
  const isNested = choose([true, false]);
  return {
    engine,
    pageBytes: choose(PAGE_BYTES),
    pageCount: choose(PAGES),
    maxPorts,
    provider: choose(['own', ...Object.keys(PROVIDERS)]),
    reserve: choose(['none', 'none', 'slab', 'user-area']),
    reservePages: choose([1, 9, 64]),
    threads: Math.min(choose([1, 3, 4, THREADS_MAX]), isNested ? (maxPorts - 1) >> 1 : maxPorts - 1),
    isNested,
  };
}

/** A thread that the storm started. */
interface Mortal {
  readonly worker: Worker;
  readonly label: string;
  readonly exited: Promise<void>;
  /** How it was told to end. */
  end: End | 'terminate' | undefined;
}

/** One pool and the threads that live and die in it. */
class Storm {
  readonly failures: string[] = [];
  readonly ends: Record<string, number> = {};
  readonly counts: Int32Array = new Int32Array(new SharedArrayBuffer(4 * WORD.length));
  readonly pool: PagePool;
  readonly #plan: Plan;
  readonly #source: string;
  readonly #random: () => number;
  readonly #witnesses: Witness[] = [];
  readonly #live = new Set<Mortal>();

  constructor(plan: Plan, source: string, random: () => number) {
    this.#plan = plan;
    this.#source = source;
    this.#random = random;
    const { engine, maxPorts, pageBytes, pageCount, provider, reserve, reservePages } = plan;
    this.pool = PagePool.createSync<keyof typeof CHANNELS>({
      engine: engine === 'both' ? 'auto' : engine,
      pageBytes,
      pageCount,
      maxPorts,
      channels: CHANNELS,
      provider: this.#watched(provider, pageBytes * pageCount) ?? wasmMemory({ stepBytes: 65536 }),
      ...reserveOf(this.#watched(reserve, pageBytes * reservePages), reservePages),
    });
  }

  #watched(kind: string, bytes: number): MemoryProvider | undefined {
    const made = PROVIDERS[kind]?.(bytes);
    if (made === undefined) return undefined;
    const watch = witness(made);
    this.#witnesses.push(watch);
    return watch.provider;
  }

  get #turns(): number {
    return Atomics.load(this.counts, WORD.turns);
  }

  #below(limit: number): number {
    return this.#random() % limit;
  }

  #start(): void {
    const { engine, isNested } = this.#plan;
    const setup: Setup = {
      entry,
      source: this.#source,
      share: this.pool.share(),
      engine: engine === 'both' ? ((['wasm', 'typescript'] as const)[this.#below(2)] as EngineName) : engine,
      seed: this.#random(),
      counts: this.counts,
      isParent: isNested && this.#below(2) === 0,
    };
    const worker = new Worker(new URL(this.#source), { workerData: setup, resourceLimits: LIMITS });
    this.pool.watch(worker);
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const mortal: Mortal = { worker, label: `storm ${setup.seed}`, exited, end: undefined };
    worker.on('error', (error: Error & { code?: string }) => {
      if (!isMeant(error, mortal.end)) this.failures.push(`${mortal.end}: ${error.code} ${error.stack}`);
    });
    worker.on('message', (message: { failure?: string; token?: FragmentToken }) => {
      if (message.failure !== undefined) this.failures.push(message.failure);
      else if (message.token !== undefined) this.#pass(message);
    });
    this.#live.add(mortal);
  }

  /** Hands a token on to any thread that lives, one that gets it or not; where there is none it is taken back. */
  #pass(message: object): void {
    const live = [...this.#live];
    if (live.length === 0) this.pool.reclaimTokens(0);
    else live[this.#below(live.length)]?.worker.postMessage(message);
  }

  /** Ends these threads at once, and waits until they are gone. */
  async #end(victims: readonly Mortal[]): Promise<void> {
    for (const victim of victims) {
      const end = this.#below(3) === 0 ? (ENDS[this.#below(ENDS.length)] as End) : 'terminate';
      victim.end = end;
      this.ends[end] = (this.ends[end] ?? 0) + 1;
      if (end === 'terminate') void victim.worker.terminate();
      else victim.worker.postMessage({ end }); // heard when it returns to its event loop
    }
    for (const { exited, end } of victims) await orHung(exited, `a thread does not end by ${end}`);
    for (const victim of victims) this.#live.delete(victim);
    this.pool.reclaimTokens(0);
    const labels = victims.map(({ label }) => label);
    for (const { isClaimed, label, portId } of this.pool.stats().ports)
      if (isClaimed && labels.includes(label)) this.failures.push(`port ${portId} (${label}) was not reaped`);
  }

  /** Lets threads live and end; how many ended. */
  async play(deaths: number): Promise<number> {
    const { threads } = this.#plan;
    let ended = 0;
    while (ended < deaths && this.failures.length === 0) {
      while (this.#live.size < threads) this.#start();
      // Now and then at once: some die before they attach.
      const wanted = this.#below(4) === 0 ? 0 : this.#turns + this.#below(TURNS_A_DEATH);
      await until(
        () => this.#turns >= wanted || this.failures.length > 0,
        () => this.#turns,
      );
      const count = this.#below(3) === 0 ? 1 + this.#below(threads) : 1;
      const live = [...this.#live];
      const victims = Array.from({ length: count }, () => live.splice(this.#below(live.length), 1)).flat();
      await this.#end(victims);
      ended += count;
    }
    const last = [...this.#live];
    await this.#end(last);
    return ended + last.length;
  }

  /** Nobody lives any more: nothing may be missing. */
  async settle(): Promise<{ suspects: number; settled: number; repaired: number }> {
    const { pool } = this;
    const claimed = (): number => pool.stats().ports.filter(({ isClaimed }) => isClaimed).length;
    // A thread that its parent had not watched yet, when both ended, is heard of by its lock: within a second.
    await until(() => claimed() === 1, claimed);
    const found = settleAll(pool, this.counts);
    expect({ ...found, failures: this.failures }).toMatchObject({ ...QUIET, failures: [] });
    const { repaired } = pool.stats();
    const report = await pool.close({ timeoutMs: HUNG_MS });
    expect(report).toMatchObject({ isDestroyed: true, inflight: 0, pinned: 0, holders: [] });
    for (const watch of this.#witnesses) expect(watch).toMatchObject({ faults: [], out: 0, open: 0 });
    return { suspects: found.audit.suspects.length, settled: found.audit.settled.length, repaired };
  }
}

/** The options of a pool with that reserve, if there is one. */
function reserveOf(provider: MemoryProvider | undefined, pageCount: number): Pick<PoolOptions, 'reserve'> {
  return provider === undefined ? {} : { reserve: { provider, pageCount } };
}

/** Whether a thread that was to end so ends with that error. */
function isMeant(error: Error & { code?: string }, end: Mortal['end']): boolean {
  if (end === 'overflow') return error.name === 'RangeError' && /call stack/.test(error.message);
  if (end === 'memory') return error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return error.message === 'on purpose';
}

describe('storms of deaths', () => {
  it.each(ENGINES)('%s: nothing is missing, torn or left behind', async (engine) => {
    const random = randomFrom(seed + ENGINES.indexOf(engine));
    const choose: Choose = (list) => list[random() % list.length] as (typeof list)[number];
    const code = await mortalProgram(new URL('./storm-thread.ts', import.meta.url));
    const source = `data:text/javascript,${encodeURIComponent(code)}`;
    const total: Record<string, number> = { storms: 0, deaths: 0, attached: 0, children: 0, checked: 0 };
    const add = (more: Readonly<Record<string, number>>): void => {
      for (const [name, count] of Object.entries(more)) total[name] = (total[name] ?? 0) + count;
    };
    while ((total.deaths as number) < DEATHS) {
      const chosen = plan(engine, choose);
      const storm = new Storm(chosen, source, random);
      try {
        const deaths = await storm.play(Math.min(DEATHS_A_STORM, DEATHS - (total.deaths as number)));
        const repairs = await storm.settle();
        const [checked = 0, , , , attached = 0, children = 0] = storm.counts;
        add({ storms: 1, deaths, attached, children, checked, ...storm.ends, ...repairs });
      } catch (error) {
        console.log(`the storm that failed: ${JSON.stringify(chosen)}: ${(error as Error).stack}`);
        throw error;
      }
    }
    console.log(`${engine}: ${JSON.stringify(total)}`);
    // A few storms may all be of pools with one page.
    expect(total.attached).toBeGreaterThan(isLong ? DEATHS / 2 : 0);
    expect(total.checked).toBeGreaterThan(isLong ? DEATHS : 0);
  });
});
