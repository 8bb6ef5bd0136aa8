// Every example of the documents runs as it is printed: each ```js block is a program of its own.
//
// A block with `file=` behind `js` is not run by itself: it is written beside the others of its document, for the
// program that names it (those of docs/browser.md are followed by test/browser/guide.test.ts). A block is written below
// build/, where `pagepool` resolves to the package's own build as it would for a user, and must end with exit code 0.
// What a comment behind console.log promises must be printed.

import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { HUNG_MS } from '../support/waiting.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'build/tools/documents');
const pages = readdirSync(join(root, 'docs')).map((name) => `docs/${name}`);
const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pages].filter((name) => name.endsWith('.md'));

/** The ```js blocks of a document. */
function examplesOf(document: string): string[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map((match) => match[1] as string);
}

/** The named blocks of a document. */
function filesOf(document: string): readonly { name: string; source: string }[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^```js file=([\w.-]+)\n([\s\S]*?)^```$/gm)].map(([, name, source]) => ({
    name: name as string,
    source: source as string,
  }));
}

/** What the comments behind `console.log` say is printed. */
function promisesOf(source: string): string[] {
  return [...source.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1] as string);
}

const examples = documents.flatMap((document) =>
  examplesOf(document).map((source, i) => ({ name: `${document}, example ${i + 1}`, document, source })),
);

test('the README begins with an example of at most 28 lines and has at most 150 lines', () => {
  expect((examplesOf('README.md')[0] ?? '').trimEnd().split('\n').length).toBeLessThanOrEqual(28);
  expect(readFileSync(join(root, 'README.md'), 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

describe('runs as printed', () => {
  test.each(examples)('$name', async ({ name, document, source }) => {
    const place = join(folder, document.replace(/\W+/g, '-'));
    mkdirSync(place, { recursive: true });
    for (const { name, source } of filesOf(document)) writeFileSync(join(place, name), source);
    const file = join(place, `${name.replace(/\W+/g, '-')}.mjs`);
    writeFileSync(file, source);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { timeout: HUNG_MS });
    expect(stderr).toBe('');
    for (const promise of promisesOf(source)) expect(stdout.split('\n')).toContain(promise);
  });
});

test('the first example prints what its worker received', async () => {
  const file = join(folder, 'README-first.mjs');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, examplesOf('README.md')[0] as string);
  const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: HUNG_MS });
  for (const i of [1, 2, 3]) expect(stdout).toContain(`1024 bytes of ${i}\n`);
});
