// One case of one engine in the main thread, in a bare loop: for a profiler, which then sees that case and nothing
// else.

import { Command } from 'commander';
import { operationFamilies, sizeFamilies } from '../rows/all.js';
import type { Row } from '../rows/row.js';
import { prepareVariant } from '../rows/row-thread.js';
import type { Isolation } from './command.js';

/** The row whose id is the text, or the only one whose id or name contains it. */
function find(text: string): Row {
  const rows = [...operationFamilies, ...sizeFamilies].flat().filter((row) => row.engine !== undefined);
  const exact = rows.find((row) => row.id === text);
  const found = exact === undefined ? rows.filter((row) => `${row.id} ${row.name}`.includes(text)) : [exact];
  const [row] = found;
  if (row !== undefined && found.length === 1 && row.calls === undefined && (row.attached ?? 0) === 0) return row;
  const names = found.length > 1 ? found : rows.filter((other) => other.calls === undefined && !other.attached);
  return new Command().error(
    `--case=${text} (expected exactly one row of one thread with --isolate): ${names.map(({ id }) => id).join(', ')}`,
  );
}

export async function isolate(text: string, options: Isolation): Promise<void> {
  const row = find(text);
  const { run } = await prepareVariant(row, options.engine);
  const end = performance.now() + options.seconds * 1000;
  const warm = Math.min(500, options.seconds * 100);
  const warmEnd = performance.now() + warm;
  while (performance.now() < warmEnd) run();
  const started = performance.now();
  let calls = 0;
  while (performance.now() < end) {
    run();
    calls++;
  }
  const nanoseconds = ((performance.now() - started) * 1e6) / (calls * row.repeat);
  console.log(`${row.id}, ${options.engine}: ${nanoseconds.toFixed(2)} ns a ${row.per}, ${row.name}`);
  process.exit(0);
}
