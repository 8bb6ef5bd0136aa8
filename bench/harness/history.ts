// What reference runs measured of the budgets, run by run: how the ratios went as the code did.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One reference run. */
export interface HistoryEntry {
  readonly commit: string;
  readonly date: string;
  readonly processor: string;
  readonly runtime: string;
  /** What the budgets' bars were compared with, by their ids. */
  readonly measured: Readonly<Record<string, number>>;
}

function historyPath(folder: string): string {
  return join(folder, 'history.json');
}

/** All runs, the oldest first; none where no file is kept. */
export function readHistory(folder: string): HistoryEntry[] {
  const path = historyPath(folder);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as HistoryEntry[]) : [];
}

/** Adds a run; one of the same commit and runtime is replaced. */
export function appendHistory(folder: string, entry: HistoryEntry): void {
  const others = readHistory(folder).filter(
    ({ commit, runtime }) => commit !== entry.commit || runtime !== entry.runtime,
  );
  const lines = [...others, entry].map((each) => `  ${JSON.stringify(each)}`);
  writeFileSync(historyPath(folder), `[\n${lines.join(',\n')}\n]\n`);
}
