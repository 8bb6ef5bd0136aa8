// What a number was measured on.

import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';

export function machineLines(): string[] {
  const gib = Math.round(totalmem() / 1024 ** 3);
  return [
    `machine: ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${gib} GiB, ${type()} ${release()}`,
    `Node ${process.version}, V8 ${process.versions.v8}, pagepool ${commit()}`,
  ];
}

/** The commit of the working tree, where there is one. */
function commit(): string {
  try {
    const id = git('rev-parse', '--short=12', 'HEAD');
    return `commit ${id}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' and changes'}`;
  } catch {
    return 'of no known commit';
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
