// What a number was measured on, in Node.

import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Machine, Results } from './results.js';

export function describeMachine(native: string): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    load: Math.round(10 * (loadavg()[0] as number)) / 10,
    system: `${type()} ${release()}`,
    runtime: `Node ${process.version}, V8 ${process.versions.v8}`,
    commit: commit(),
    flags: process.execArgv.filter((flag) => flag !== '--enable-source-maps'),
    native,
  };
}

/** The load average, of one minute, above which no reference run begins. */
const LOAD_MAX = 0.5;

/** Why a reference run does not begin at this load average; null where it may. */
export function loadRefusal(load: number): string | null {
  if (load <= LOAD_MAX) return null;
  const found = `the load average is ${load.toFixed(2)}`;
  return `--write failed: ${found} (expected at most ${LOAD_MAX}); wait until nothing else runs on this machine`;
}

/** The commit of the working tree, where there is one. */
function commit(): string {
  try {
    const id = git('rev-parse', '--short=12', 'HEAD');
    return git('status', '--porcelain', '--untracked-files=no') === '' ? id : `${id} and changes`;
  } catch {
    return 'unknown';
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** The header of every output. */
export function headerLines(head: Omit<Results, 'rows' | 'seconds'>): string[] {
  const { processor, cores, memoryGib, load, system, runtime, commit, flags, native } = head.machine;
  return [
    `${processor}, ${cores} cores, ${memoryGib} GiB, ${system}, load average ${load} at the start`,
    `${runtime}${flags.length === 0 ? '' : `, flags ${flags.join(' ')}`}; pagepool at commit ${commit}; ${head.date}`,
    native,
    'pools of 1,024 pages of 4 KiB and 16 ports where a row says nothing else',
    `${settingsLine(head)}, variants in turn, each in threads of its own, after ${head.settings.warmUpMs} ms to warm up`,
  ];
}

/** How long was measured. */
export function settingsLine({ settings }: Pick<Results, 'settings'>): string {
  const { rounds, roundMs, sampleUs } = settings;
  const samples = sampleUs === 0 ? '' : `, samples of at least ${sampleUs / 1000} ms`;
  return `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${roundMs} ms${samples}`;
}
