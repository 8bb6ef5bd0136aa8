// Writes the tables of docs/memory-layout.md from the constants of assembly/layout.ts; with --check, compares only.
//
// Between <!-- layout PREFIX --> and <!-- /layout --> stands a table of every constant whose name starts with PREFIX_, in
// the order of their values: what is written there by hand is replaced.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { layoutConstants } from './inline-core.mjs';
import { Refusal, root, runScript } from './support.mjs';

const REGION = /(<!-- layout (\w+) -->\n)[\s\S]*?(<!-- \/layout -->)/g;

/** The text with its tables made anew. */
export function fillTables(text, constants) {
  return text.replace(REGION, (_, open, prefix, close) => {
    const rows = Object.entries(constants)
      .filter(([name, value]) => name.startsWith(`${prefix}_`) && typeof value === 'number')
      .sort((a, b) => a[1] - b[1])
      .map(([name, value]) => `| ${value} | \`${name}\` |`);
    if (rows.length === 0) throw new Refusal(`docs/memory-layout.md: no constant starts with ${prefix}_`);
    return `${open}| value | constant |\n|---:|---|\n${rows.join('\n')}\n${close}`;
  });
}

await runScript(async () => {
  const file = join(root, 'docs/memory-layout.md');
  if (!existsSync(file)) throw new Refusal('docs/memory-layout.md is missing');
  const text = readFileSync(file, 'utf8');
  const filled = fillTables(text, await layoutConstants());
  if (filled === text) return;
  if (process.argv.includes('--check'))
    throw new Refusal('docs/memory-layout.md is out of date: node scripts/docs-layout.mjs');
  writeFileSync(file, filled);
});
