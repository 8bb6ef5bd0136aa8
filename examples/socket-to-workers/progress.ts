// Progress: a live bar on a terminal, one plain line a run elsewhere.

import { SingleBar } from 'cli-progress';

export interface Progress {
  /** A run begins. */
  begin(label: string): void;
  /** So many bytes of it have come. */
  bytes(count: number): void;
  /** It is over, with one line of result. */
  end(line: string): void;
  stop(): void;
}

export function showProgress(runCount: number, bytesPerRun: number): Progress {
  return process.stdout.isTTY ? liveProgress(runCount, bytesPerRun) : plainProgress(runCount);
}

function liveProgress(runCount: number, bytesPerRun: number): Progress {
  const bar = new SingleBar({ format: '{bar} {percentage}% | {eta_formatted} | {label}', hideCursor: true });
  let done = 0;
  bar.start(runCount * bytesPerRun, 0, { label: '' });
  return {
    begin: (label) => bar.update(done * bytesPerRun, { label }),
    bytes: (count) => bar.update(done * bytesPerRun + Math.min(count, bytesPerRun)),
    end: () => bar.update(++done * bytesPerRun),
    stop: () => bar.stop(),
  };
}

function plainProgress(runCount: number): Progress {
  let done = 0;
  return {
    begin: () => {},
    bytes: () => {},
    end: (line) => console.log(`${String(++done).padStart(String(runCount).length)}/${runCount}  ${line}`),
    stop: () => {},
  };
}
