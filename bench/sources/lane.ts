// The lanes of sources: a process for each variant, so that its processor time and its collections are its own.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Family, Lane, LanePlan } from '../harness/lanes.js';
import type { Round, RowInfo, Settings } from '../harness/results.js';
import { CASES, type Run, type SourceCase } from './plan.js';

/** Bytes of a round; few where it only shows that it works. */
const ROUND_BYTES = { full: 128 * 1024 * 1024, quick: 1024 * 1024 };

/** A family for each case: its variants take their rounds in turn. */
export function planSources(): Family[] {
  return CASES.map((one) => {
    const { id, name, note, recordBytes } = one;
    const per = recordBytes === 0 ? '64 KiB' : 'record';
    const row: RowInfo = { id, group: 'source', name, per, touches: 'one byte', note };
    return one.variants.map(
      (variant): LanePlan => ({ row, variant, open: (settings) => open(one, variant, settings) }),
    );
  });
}

async function open({ id }: SourceCase, variant: string, { profile }: Settings): Promise<Lane> {
  const program = fileURLToPath(new URL('./sources/source.worker.js', import.meta.url));
  const child = fork(program, [id, variant], { execArgv: ['--expose-gc'] });
  const ask = async (bytes: number): Promise<Run> => {
    child.send(bytes);
    return answer(child);
  };
  // Compilers and the page cache.
  for (let i = 0; i < 2; i++) await ask(ROUND_BYTES[profile]);
  return {
    round: async () => roundOf(await ask(ROUND_BYTES[profile])),
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

function roundOf({ seconds, cpuSeconds, collectionMs, operations }: Run): Round {
  const nanoseconds = (value: number) => (value * 1e9) / operations;
  return {
    median: nanoseconds(seconds),
    p99: null,
    samples: 1,
    processor: nanoseconds(cpuSeconds),
    collection: nanoseconds(collectionMs / 1000),
  };
}
