// Runs a program as a consumer would: in a folder of his, in an environment without what npm and the test runner put there.

import { spawn } from 'node:child_process';

export interface Run {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code, or the signal that ended it; `'timeout'` when it was still running and was killed. */
  readonly end: number | string;
}

/** This process's environment without npm's and the test runner's own variables. */
export function consumerEnvironment(): NodeJS.ProcessEnv {
  const own = /^(npm_|NODE_|VITEST|TEST$|DEV$|PROD$|MODE$|FORCE_COLOR)/i;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' };
}

/** Runs `program` in `cwd` and resolves when it has ended and its output is complete. */
export function run(program: string, args: readonly string[], cwd: string, timeoutMs = 60_000): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: consumerEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let isLate = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ stdout, stderr, end: isLate ? 'timeout' : (code ?? signal ?? 'unknown') });
    });
  });
}
