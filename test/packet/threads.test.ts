// Real threads that send each other packets over channels of every policy: each arrives whole, in order, with the bytes
// that were written before it was sent, or not at all; also when threads end half way.
//
// Ends with every reference explained and every page home. Prints its seed; SEED=n replays the choices (not the
// scheduling). LONG=1 takes fifteen times as long.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { receivePacket } from 'pagepool/packet';
import { describe, expect, it } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { program } from '../support/program.js';
import { entryOf } from '../support/threads.js';
import { HUNG_MS, orHung, until } from '../support/waiting.js';
import { CHANNELS, type ChannelName, COUNTS, createChecker } from './churn.js';

type EngineName = 'wasm' | 'typescript';
const RUNS: readonly (readonly [name: string, engines: readonly EngineName[]])[] = [
  ['wasm', ['wasm', 'wasm', 'wasm']],
  ['typescript', ['typescript', 'typescript', 'typescript']],
  ['both engines', ['wasm', 'typescript', 'wasm', 'typescript']],
];
const isLong = process.env.LONG === '1';
/** Fragments that all threads receive before they stop. */
const RECEIVED = isLong ? 1_500_000 : 100_000;
/** What all threads do before the next one is ended, at most: fragments sent and received, packets refused. */
const STEPS_A_DEATH = 2000;
const DEATHS = isLong ? 300 : 30;
const seed = chooseSeed('packet threads');
const packetEntry = new URL('../../build/packet.js', import.meta.url).href;

/** One pool and its threads. */
class Stage {
  readonly pool = PagePool.createSync({ pageCount: 200, pageBytes: 1024, maxPorts: 6, channels: CHANNELS });
  readonly counts = new Int32Array(new SharedArrayBuffer(4 * COUNTS.length));
  readonly stop = new Int32Array(new SharedArrayBuffer(8));
  readonly failures: unknown[] = [];
  #senders = 0;
  readonly #source: URL;
  readonly #isOrdered: boolean;

  constructor(source: string, isOrdered: boolean) {
    this.#source = new URL(`data:text/javascript;base64,${Buffer.from(source).toString('base64')}`);
    this.#isOrdered = isOrdered;
  }

  /** Starts a thread and resolves when it is attached. */
  async start(engine: EngineName): Promise<Worker> {
    const sender = this.#senders++ & 0x7f;
    const { counts, stop } = this;
    const workerData = {
      entry: entryOf(sender),
      packetEntry,
      share: this.pool.share(),
      engine,
      sender,
      seed: seed + sender,
      counts,
      stop,
      isOrdered: this.#isOrdered,
    };
    const worker = new Worker(this.#source, { workerData });
    this.pool.watch(worker);
    worker.on('error', (error) => this.failures.push(error));
    await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
    return worker;
  }

  /** Checks what is left in the channels; what all threads counted. */
  settle(): Record<(typeof COUNTS)[number], number> {
    const check = createChecker(this.counts, false);
    for (const name of Object.keys(CHANNELS) as ChannelName[]) {
      const channel = this.pool.channel(name);
      for (let packet = receivePacket(channel); packet !== null; packet = receivePacket(channel)) check(name, packet);
    }
    return Object.fromEntries(COUNTS.map((name, i) => [name, this.counts[i]])) as never;
  }

  /** What all threads have counted so far. */
  count(name: (typeof COUNTS)[number]): number {
    return Atomics.load(this.counts, COUNTS.indexOf(name));
  }

  /** How far they are. */
  get steps(): number {
    return this.count('sent') + this.count('received') + this.count('refused') + this.count('empty');
  }

  get dropped(): number {
    const names = Object.keys(CHANNELS) as (keyof typeof CHANNELS)[];
    return names.reduce((sum, name) => sum + this.pool.channel(name).dropped, 0);
  }
}

describe('threads that send each other packets', () => {
  it.each(RUNS)(
    '38 (ptr_ring: add barriers), %s: whole, in order, with what was written before',
    async (name, engines) => {
      const stage = new Stage(await program(new URL('./thread.ts', import.meta.url)), true);
      const workers = await Promise.all(engines.map((engine) => stage.start(engine)));
      const exits = Promise.all(workers.map((worker) => once(worker, 'exit')));
      exits.catch(() => {}); // an error is among the failures
      const hasFailed = () => stage.failures.length > 0;
      await until(
        () => stage.count('received') >= RECEIVED || hasFailed(),
        () => stage.steps,
      );
      Atomics.store(stage.stop, 0, 1);
      await until(() => Atomics.load(stage.stop, 1) === workers.length || hasFailed());
      Atomics.store(stage.stop, 0, 2);
      if (!hasFailed()) await orHung(exits, 'a thread does not end');
      const counts = stage.settle();
      console.log(`${name}: ${JSON.stringify({ ...counts, dropped: stage.dropped })}`);
      expect(stage.failures).toEqual([]);
      expect(counts).toMatchObject({ torn: 0, disordered: 0 });
      expect(counts.received).toBeGreaterThanOrEqual(RECEIVED);
      expect(counts.received + stage.dropped).toBe(counts.sent);
      expectAllHome(stage.pool);
      expect(await stage.pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
    },
  );

  it.each(RUNS)('%s, ended at any moment: whole or not at all, and every page comes back', async (name, engines) => {
    const stage = new Stage(await program(new URL('./thread.ts', import.meta.url)), false);
    const random = randomFrom(seed);
    let left = DEATHS;
    const lane = async (): Promise<void> => {
      while (left-- > 0 && stage.failures.length === 0) {
        const worker = await stage.start(engines[random() % engines.length] as EngineName);
        const wanted = stage.steps + (random() % STEPS_A_DEATH);
        await until(
          () => stage.steps >= wanted || stage.failures.length > 0,
          () => stage.steps,
        );
        await worker.terminate();
      }
    };
    await Promise.all([lane(), lane(), lane()]);
    await until(() => stage.pool.stats().ports.filter(({ isClaimed }) => isClaimed).length === 1);
    const counts = stage.settle();
    const audit = stage.pool.audit(); // settles what no reaper can know
    console.log(
      `${name}: ${DEATHS} deaths, ${JSON.stringify({ ...counts, dropped: stage.dropped, repaired: stage.pool.stats().repaired, settled: audit.settled.length })}`,
    );
    expect(stage.failures).toEqual([]);
    expect(counts.torn).toBe(0);
    expect(counts.received).toBeGreaterThan(DEATHS);
    expectAllHome(stage.pool);
    expect(await stage.pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });
});
