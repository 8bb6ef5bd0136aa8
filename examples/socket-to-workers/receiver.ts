// One run: one variant in a process of its own receives the file a few times and hands its records to workers.
//
// Measured per pass: from connecting until every worker has given its digest. The first passes warm up and are not
// counted.

import { Worker } from 'node:worker_threads';
import { addCollections, type Collections, watchCollections } from './collections.js';
import { type Digest, emptyDigest, mergeDigests } from './digest.js';
import { copying } from './variants/copy.js';
import { poolSender } from './variants/pagepool.js';
import { postingSender } from './variants/posting.js';
import { sharing } from './variants/shared-buffer.js';
import { transferring } from './variants/transfer.js';
import type { PoolCheck, Sender, Setup, VariantName } from './variants/variant.js';
import type { WorkerData, WorkerMessage } from './worker.js';

export interface Job {
  variant: VariantName;
  port: number;
  recordBytes: number;
  workerCount: number;
  warmups: number;
  passes: number;
}

/** What a run measured, over its counted passes. */
export interface Run {
  variant: VariantName;
  recordBytes: number;
  digests: Digest[];
  records: number;
  bytes: number;
  seconds: number;
  cpuSeconds: number;
  collections: Collections;
  peakBytes: number;
  pool: PoolCheck | null;
}

export type RunMessage = { type: 'progress'; bytes: number } | { type: 'run'; run: Run };

const sampleMs = 20;

/** Does the job and tells the parent process. */
export async function runReceiver(job: Job): Promise<void> {
  const say = (message: RunMessage) => process.send?.(message);
  const run = await receive(job, (bytes) => say({ type: 'progress', bytes }));
  say({ type: 'run', run });
  process.disconnect();
}

async function receive(job: Job, onProgress: (bytes: number) => void): Promise<Run> {
  const setup: Setup = { ...job, passes: job.warmups + job.passes };
  const collections = watchCollections();
  const { team, sender } = await start(job.variant, setup);
  const run = emptyRun(job);
  let received = 0;
  let samples = 0;
  const sampler = setInterval(() => {
    run.peakBytes = Math.max(run.peakBytes, process.memoryUsage.rss());
    if (++samples % 5 === 0) onProgress(received);
  }, sampleMs);

  await team.ready();
  await collections();
  for (let pass = 0; pass < setup.passes; pass++) {
    const hashed = team.digest();
    const cpuBefore = process.cpuUsage();
    const startMs = performance.now();
    await sender.receive(pass, job.port, (bytes) => {
      received += bytes;
    });
    const digest = await hashed;
    const seconds = (performance.now() - startMs) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const collected = addCollections(await team.ready(), await collections());
    run.digests.push(digest);
    if (pass < job.warmups) continue;
    run.seconds += seconds;
    run.cpuSeconds += (user + system) / 1e6;
    run.records += digest.records;
    run.bytes += digest.bytes;
    run.collections = addCollections(run.collections, collected);
  }
  clearInterval(sampler);
  await team.gone();
  run.pool = await sender.close();
  return run;
}

function emptyRun({ variant, recordBytes }: Job): Run {
  const collections = { count: 0, ms: 0 };
  const sums = { records: 0, bytes: 0, seconds: 0, cpuSeconds: 0, collections, peakBytes: 0 };
  return { variant, recordBytes, digests: [], ...sums, pool: null };
}

/** Makes the reading side and its workers; the pool must be there before them, the baselines need them first. */
async function start(variant: VariantName, setup: Setup): Promise<{ team: Team; sender: Sender }> {
  if (variant === 'pagepool') {
    const sender = await poolSender(setup);
    return { team: new Team(variant, setup, sender.share), sender };
  }
  const team = new Team(variant, setup, null);
  return { team, sender: postingSender(postings[variant](setup.recordBytes), setup, team.workers) };
}

const postings = { copy: copying, transfer: transferring, 'shared buffer': sharing };

/** The workers of a run. */
class Team {
  readonly workers: Worker[];
  readonly #readies: (() => Promise<Collections>)[];
  readonly #digests: (() => Promise<Digest>)[];
  readonly #exits: Promise<unknown>[];

  constructor(variant: VariantName, setup: Setup, share: unknown) {
    const workerData: WorkerData = { variant, setup, share };
    const file = new URL('./worker.js', import.meta.url);
    this.workers = Array.from({ length: setup.workerCount }, () => new Worker(file, { workerData }));
    const inboxes = this.workers.map((worker) => new Inbox(worker));
    this.#readies = inboxes.map((inbox) => () => inbox.take<Collections>('ready'));
    this.#digests = inboxes.map((inbox) => () => inbox.take<Digest>('digest'));
    this.#exits = this.workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  }

  /** Every worker waits for the next pass, or is about to leave: what was collected since the last time. */
  async ready(): Promise<Collections> {
    const all = await Promise.all(this.#readies.map((take) => take()));
    return all.reduce(addCollections);
  }

  /** What all of them hashed in a pass. */
  async digest(): Promise<Digest> {
    const all = await Promise.all(this.#digests.map((take) => take()));
    return all.reduce(mergeDigests, emptyDigest());
  }

  gone(): Promise<unknown> {
    return Promise.all(this.#exits);
  }
}

/** A worker's messages by type, kept until they are asked for. */
class Inbox {
  readonly #kept: WorkerMessage[] = [];
  #isGone = false;
  readonly #asked: { type: string; resolve: (value: unknown) => void }[] = [];

  constructor(worker: Worker) {
    worker.on('message', (message: WorkerMessage | number) => {
      if (typeof message !== 'number') this.#put(message);
    });
    worker.on('error', (error) => {
      throw error; // the run is worth nothing without one of its workers
    });
    worker.on('exit', () => {
      this.#isGone = true;
      if (this.#asked.length > 0) throw leftError();
    });
  }

  take<T>(type: WorkerMessage['type']): Promise<T> {
    const index = this.#kept.findIndex((message) => message.type === type);
    if (index >= 0) return Promise.resolve(this.#kept.splice(index, 1)[0]?.value as T);
    if (this.#isGone) throw leftError();
    return new Promise((resolve) => this.#asked.push({ type, resolve: resolve as (value: unknown) => void }));
  }

  #put(message: WorkerMessage): void {
    const index = this.#asked.findIndex((asked) => asked.type === message.type);
    if (index < 0) this.#kept.push(message);
    else this.#asked.splice(index, 1)[0]?.resolve(message.value);
  }
}

function leftError(): Error {
  return new Error('a worker left before it was done');
}
