// Runs a program as a consumer would: in a folder of his, in an environment without what npm and the test runner put
// there.

import { spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { HUNG_MS } from '../../support/waiting.js';

export interface Run {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code, or the signal that ended it; `'killed'` when it was still running and was killed here. */
  readonly end: number | string;
}

/** Longer than whatever a consumer runs takes on any machine. */
const hung = () => setTimeout(5 * HUNG_MS, undefined, { ref: false });

/** This process's environment without npm's and the test runner's own variables. */
export function consumerEnvironment(): NodeJS.ProcessEnv {
  const own = /^(npm_|NODE_|VITEST|TEST$|DEV$|PROD$|MODE$|FORCE_COLOR)/i;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' };
}

/**
 * Runs `program` in `cwd` and resolves when it has ended and its output is complete.
 *
 * @param killed resolves when the program is to be killed, if it has not ended by then; it is given what was printed so
 *   far
 */
export function run(
  program: string,
  args: readonly string[],
  cwd: string,
  killed: (printed: () => string) => Promise<unknown> = hung,
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: consumerEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let isKilled = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    killed(() => stdout).then(() => {
      if (child.exitCode === null) isKilled = child.kill('SIGKILL');
    }, reject);
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ stdout, stderr, end: isKilled ? 'killed' : (code ?? signal ?? 'unknown') }),
    );
  });
}
