// How much memory the processes of a program really use: what is shared counts once. Linux alone.

import { readdirSync, readFileSync } from 'node:fs';

/** A file of /proc; empty where the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The process and all that came of it. */
function familyOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+ \(.*\) \S (\d+)/s.exec(/^\d+$/.test(name) ? read(`/proc/${name}/stat`) : '')?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const isOfFamily = (pid: number): boolean =>
    pid === root || (parents.has(pid) && isOfFamily(parents.get(pid) as number));
  return [...parents.keys()].filter(isOfFamily);
}

/** Bytes that the process and all that came of it have in memory now. */
export function residentBytes(root: number): number {
  const kilobytes = familyOf(root).map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0),
  );
  return 1024 * kilobytes.reduce((sum, each) => sum + each, 0);
}
