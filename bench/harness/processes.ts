// Lanes in processes of their own: so processor time and collections are a variant's alone, those of all its threads.
//
// The program of a lane answers each number that its parent sends with a Run of that size.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { PerformanceObserver } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import type { Lane } from './lanes.js';
import type { Round, Settings } from './results.js';

/** What a program timed itself in a round, instead of how long all of it took. */
export interface Timed {
  readonly operations: number;
  /** Nanoseconds. */
  readonly median: number;
  readonly p99: number | null;
  readonly samples: number;
}

/** What one round of a variant took: all threads of its process together. */
export interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly collectionMs: number;
  readonly operations: number;
  readonly timed?: Timed;
}

/** Rounds before the ones that count: compilers and the page cache. */
const WARM_UPS = 2;

/** Opens a lane: `program` is what is bundled beside the bench, `sizes` what a round of each profile has. */
export async function openProcess(
  program: string,
  args: readonly string[],
  sizes: Readonly<Record<Settings['profile'], number>>,
  { profile }: Settings,
  warmUps: number = WARM_UPS,
): Promise<Lane> {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), args, { execArgv: ['--expose-gc'] });
  const ask = async (size: number): Promise<Run> => {
    child.send(size);
    return answer(child);
  };
  for (let i = 0; i < warmUps; i++) await ask(sizes[profile]);
  return {
    round: async () => roundOf(await ask(sizes[profile])),
    end: () => void child.kill(),
  };
}

async function answer(child: ChildProcess): Promise<Run> {
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`a process of the bench ended with exit code ${code}`);
  });
  gone.catch(() => {});
  const [run] = (await Promise.race([once(child, 'message'), gone])) as [Run];
  return run;
}

function roundOf({ seconds, cpuSeconds, collectionMs, operations, timed }: Run): Round {
  const nanoseconds = (value: number) => (value * 1e9) / operations;
  return {
    median: timed?.median ?? nanoseconds(seconds),
    p99: timed?.p99 ?? null,
    samples: timed?.samples ?? 1,
    processor: nanoseconds(cpuSeconds),
    collection: nanoseconds(collectionMs / 1000),
  };
}

/** In a thread of a lane's program: adds the microseconds of its collections to a shared counter. */
export function countCollections(counters: Int32Array, index: number): void {
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) Atomics.add(counters, index, Math.round(duration * 1000));
  }).observe({ entryTypes: ['gc'] });
}

/**
 * In the main thread of a lane's program: answers each size with what `run` took, which returns its operations, or what
 * it timed itself.
 */
export function answerRuns(
  counters: Int32Array,
  collected: number,
  run: (size: number) => Promise<number | Timed>,
): void {
  process.on('message', async (size: number) => {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
    Atomics.store(counters, collected, 0);
    const before = process.cpuUsage();
    const started = performance.now();
    const result = await run(size);
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(before);
    await new Promise((resolve) => setTimeout(resolve, 50)); // collections are heard of a moment later
    process.send?.({
      seconds,
      cpuSeconds: (user + system) / 1e6,
      collectionMs: Atomics.load(counters, collected) / 1000,
      ...(typeof result === 'number' ? { operations: result } : { operations: result.operations, timed: result }),
    } satisfies Run);
  });
}
