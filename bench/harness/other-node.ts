// A run on another Node than the one that began it: the same program and arguments, in a process of that Node.

import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Those that the toolchain of the package tests has. */
export const NODES = ['22', '24', '26'] as const;

/** Whether this process is of that major version. */
export function isNode(major: string): boolean {
  return process.versions.node.startsWith(`${major}.`);
}

/** Runs this program on that Node, once it is installed, and returns its exit code. */
export function runOnNode(major: string): number {
  execFileSync(process.execPath, ['scripts/toolchain.mjs'], { stdio: 'inherit' });
  const program = join('test/package/toolchain/node_modules', `node-${major}`, 'bin/node');
  const { status, error } = spawnSync(program, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' });
  if (error !== undefined) throw error;
  return status ?? 1;
}
