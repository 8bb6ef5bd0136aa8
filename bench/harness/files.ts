// The files of results: one line a variant, so that a new run shows what changed.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Results, RowInfo, VariantResult } from './results.js';

interface File {
  readonly head: Omit<Results, 'rows'>;
  readonly rows: readonly { readonly row: RowInfo; readonly variants: readonly VariantResult[] }[];
}

export function resultsPath(folder: string, name: string): string {
  return join(folder, `${name}.json`);
}

export function readResults(path: string): Results {
  const { head, rows } = JSON.parse(readFileSync(path, 'utf8')) as File;
  if (head?.format !== 1) throw new Error(`format=${head?.format} (expected 1) in ${path}: measure anew`);
  return { ...head, rows: rows.map(({ row, variants }) => ({ ...row, variants })) };
}

export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  const { rows, ...head } = results;
  const rowTexts = rows.map(({ variants, ...info }) => {
    const lines = variants.map((variant) => `      ${JSON.stringify(variant, rounded)}`);
    return `    {\n      "row": ${JSON.stringify(info)},\n      "variants": [\n  ${lines.join(',\n  ')}\n      ]\n    }`;
  });
  const text = `{\n  "head": ${JSON.stringify(head, null, 2).replaceAll('\n', '\n  ')},\n  "rows": [\n${rowTexts.join(',\n')}\n  ]\n}\n`;
  writeFileSync(path, text);
}

/** Five figures are more than any of it is good for. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}
