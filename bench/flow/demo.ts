// The demo as rows: its own rounds, with two workers, in the processes that it starts.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Run } from '../../examples/socket-to-workers/receiver.js';
import { sizeName } from '../harness/format.js';
import type { RowResult, Settings } from '../harness/results.js';

const WORKERS = 2;
/** Of a quick run: a file of some hundred KB instead of node itself. */
const QUICK_FILE = 'package-lock.json';

/** Runs the demo; a row for each size of records. */
export async function runDemoRows({ profile, rounds }: Settings): Promise<RowResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-demo-'));
  try {
    const json = join(folder, 'runs.json');
    const args = ['--workers', String(WORKERS), '--rounds', String(rounds), '--json', json];
    if (profile === 'quick') args.push('--file', QUICK_FILE);
    const program = ['scripts/run-ts.mjs', '--expose-gc', 'examples/socket-to-workers/main.ts', ...args];
    await promisify(execFile)(process.execPath, program, { maxBuffer: 1 << 24 });
    return rowsOf(JSON.parse(readFileSync(json, 'utf8')) as Run[]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The runs of each variant stand in the order of their rounds. */
function rowsOf(runs: readonly Run[]): RowResult[] {
  return [...new Set(runs.map(({ recordBytes }) => recordBytes))].map((bytes) => {
    const same = runs.filter(({ recordBytes }) => recordBytes === bytes);
    return {
      id: `demo.${bytes}`,
      group: 'demo',
      name: `TCP to ${WORKERS} workers in records of ${sizeName(bytes)}, hashed`,
      per: 'record',
      touches: 'every byte',
      variants: [...new Set(same.map(({ variant }) => variant))].map((name) => ({
        name: name === 'pagepool' ? 'wasm' : name,
        rounds: same.filter(({ variant }) => variant === name).map(roundOf),
      })),
    };
  });
}

function roundOf({ seconds, cpuSeconds, records, collections }: Run): RowResult['variants'][number]['rounds'][number] {
  const nanoseconds = (value: number) => (value * 1e9) / records;
  return {
    median: nanoseconds(seconds),
    p99: null,
    samples: 1,
    processor: nanoseconds(cpuSeconds),
    collection: nanoseconds(collections.ms / 1000),
  };
}
