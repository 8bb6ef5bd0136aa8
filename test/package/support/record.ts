// Keeps what a test found for docs/compatibility.md, which scripts/docs-compatibility.mjs writes from it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../build/test-reports/compatibility', import.meta.url));

/** Writes one row of a table; a test calls it after its last expectation. `order` is the row's place. */
export function record(
  table: 'runtimes' | 'adapters' | 'bundlers' | 'types',
  order: number,
  row: Record<string, unknown>,
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${table}-${String(order).padStart(2, '0')}.json`), `${JSON.stringify(row, null, 2)}\n`);
}
