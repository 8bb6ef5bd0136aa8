// Writes the table of docs/errors.md from the table of src/errors.ts; with --check, compares only.
//
// Between <!-- errors --> and <!-- /errors --> stands one row a code: what is written there by hand is replaced.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { isMain, Refusal, root, runScript } from './support.mjs';

const DOCUMENT = 'docs/errors.md';
const REGION = /(<!-- errors -->\n)[\s\S]*?(<!-- \/errors -->)/;

/** The rows that src/errors.ts gives: code, cause and remedy. */
export async function loadErrorTable() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['src/errors.ts'],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`;
  return (await import(url)).errorTable();
}

/**
 * The document with its table made anew.
 * @param {string} text
 * @param {readonly { code: string, cause: string, remedy: string }[]} table
 */
export function fillErrors(text, table) {
  if (!REGION.test(text)) throw new Refusal(`${DOCUMENT}: no region for the table`);
  const cell = (words) => words.replaceAll('|', '\\|');
  const rows = table.map(({ code, cause, remedy }) => `| \`${code}\` | ${cell(cause)} | ${cell(remedy)} |`);
  const lines = ['| code | cause | remedy |', '|---|---|---|', ...rows];
  return text.replace(REGION, (_, open, close) => `${open}\n${lines.join('\n')}\n\n${close}`);
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    const file = join(root, DOCUMENT);
    if (!existsSync(file)) throw new Refusal(`${DOCUMENT} is missing`);
    const text = readFileSync(file, 'utf8');
    const filled = fillErrors(text, await loadErrorTable());
    if (filled === text) return;
    if (process.argv.includes('--check')) throw new Refusal(`${DOCUMENT} is out of date: npm run docs`);
    writeFileSync(file, filled);
  });
}
