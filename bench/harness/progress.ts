// Progress: a live bar on a terminal, one plain line a family elsewhere.

import { SingleBar } from 'cli-progress';
import type { Progress } from './lanes.js';

export interface RunProgress extends Progress {
  /** A family begins. */
  family(label: string): void;
  stop(): void;
}

export function showProgress(steps: number): RunProgress {
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
