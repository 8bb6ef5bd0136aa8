// Progress: a live bar on a terminal, one plain line a family elsewhere.

import { SingleBar } from 'cli-progress';
import { type Family, type Progress, runFamily, stepsOf } from './lanes.js';
import type { RowResult, Settings } from './results.js';

interface RunProgress extends Progress {
  /** A family begins. */
  family(label: string): void;
  stop(): void;
}

function showProgress(steps: number): RunProgress {
  return process.stdout.isTTY ? liveProgress(steps) : plainProgress(steps);
}

function liveProgress(steps: number): RunProgress {
  const bar = new SingleBar({ format: '{bar} {percentage}% | {eta_formatted} | {label}', hideCursor: true });
  bar.start(steps, 0, { label: '' });
  return {
    family: () => {},
    step: (label) => bar.increment(1, { label }),
    stop: () => bar.stop(),
  };
}

function plainProgress(steps: number): RunProgress {
  let done = 0;
  return {
    family: (label) => console.log(`${String(Math.floor((100 * done) / steps)).padStart(3)} %  ${label}`),
    step: () => void done++,
    stop: () => {},
  };
}

/** Runs the families one after the other, and shows how far it is. */
export async function runFamilies(families: readonly Family[], settings: Settings): Promise<RowResult[]> {
  const progress = showProgress(families.reduce((sum, family) => sum + stepsOf(family, settings), 0));
  const rows: RowResult[] = [];
  for (const family of families) {
    progress.family(family[0]?.row.name ?? '');
    rows.push(...(await runFamily(family, settings, progress)));
  }
  progress.stop();
  return rows;
}
