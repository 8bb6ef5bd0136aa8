// The native program (dpdk.c): built where DPDK's headers are, run beside the other variants, a round in each of their
// rounds.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Lane } from '../harness/lanes.js';
import type { Round } from '../harness/results.js';

const PROGRAM = 'build/native/dpdk';
/** No huge pages, no devices, nothing shared, and one thread that the system may move between all cores. */
const ARGUMENTS = (cores: number) =>
  `--no-huge --no-pci --no-telemetry --no-shconf -m 256 --log-level critical --lcores 0@(0-${cores - 1})`.split(' ');

export interface Native {
  /** For the header: what it is, or why it was left out and how to get it. */
  readonly description: string;
  /** Opens a lane of one of its cases; undefined where it was left out. */
  readonly lane?: (nativeCase: string) => Lane;
  stop(): void;
}

export async function startNative(cores: number): Promise<Native> {
  const missing = ['make', 'cc', 'pkg-config'].find((tool) => !works(tool, ['--version']));
  if (missing !== undefined || !works('pkg-config', ['--exists', 'libdpdk'])) {
    return leftOut(`${missing ?? 'libdpdk'} is missing: apt-get install build-essential pkg-config libdpdk-dev`);
  }
  try {
    execFileSync('make', ['-C', 'bench/native', `OUT=${process.cwd()}/build/native`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch (error) {
    const lines = String((error as { stderr?: Buffer }).stderr)
      .trim()
      .split('\n');
    return leftOut(`make failed: ${lines.find((line) => line.includes('error')) ?? lines[0]}`);
  }
  const program = new Program(spawn(PROGRAM, ARGUMENTS(cores), { stdio: ['pipe', 'pipe', 'inherit'] }));
  try {
    const { version } = (await program.line()) as { version: string };
    const lane = (nativeCase: string): Lane => ({
      round: (timeMs) => program.ask(`${nativeCase} ${timeMs}`) as Promise<Round>,
      end: () => {},
    });
    return {
      description: `${version}, compiled with ${compiler()} -O3 and the flags of pkg-config, without huge pages`,
      lane,
      stop: () => program.stop(),
    };
  } catch (error) {
    return leftOut((error as Error).message);
  }
}

function leftOut(why: string): Native {
  return { description: `DPDK was left out: ${why}`, stop: () => {} };
}

function works(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function compiler(): string {
  return execFileSync('cc', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? 'cc';
}

/** A program that answers each line with one line of JSON. */
class Program {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
  }

  async line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${PROGRAM} ended without an answer`);
    return JSON.parse(value);
  }

  async ask(line: string): Promise<Round> {
    this.#child.stdin?.write(`${line}\n`);
    const { median, p99, samples } = (await this.line()) as Round;
    return { median, p99, samples };
  }

  stop(): void {
    this.#child.stdin?.end();
  }
}
