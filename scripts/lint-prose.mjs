// Prose that can be read at once: checks the sentences, the lines and the tables of the documents, and the lines of
// comments. With --write it breaks long lines of documents itself.
//
// No sentence has more than 35 words, no line of prose more than 120 columns, no cell of a table more than 140
// characters. Code is one word. What is between <!-- marks --> is written by other scripts and is left alone, and so
// are blocks of code.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, Refusal, root, runScript } from './support.mjs';

const WORDS_MAX = 35;
const COLUMNS_MAX = 120;
const CELL_MAX = 140;
/** Ends in a full stop and does not end a sentence. */
const SHORT = /\b(?:e\.g|i\.e|etc|vs|approx|No)\.$/;

/** Made from other documents, which are checked in its place. */
const MADE = new Map([
  ['docs/performance.md', ['bench/report/performance.template.md', 'bench/report/explanations.md']],
  ['docs/performance-tables.md', ['bench/report/performance-tables.template.md']],
]);

/** The documents that people write. */
export function documents() {
  const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  const paths = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pages.map((name) => `docs/${name}`)];
  return paths.flatMap((path) => MADE.get(path) ?? [path]);
}

const SOURCES = ['assembly', 'bench', 'examples', 'scripts', 'src', 'test'];

/**
 * Comments that are too wide, a line each. Code is the formatter's.
 * @param {string} source
 * @returns {string[]}
 */
export function findWideComments(source) {
  return source
    .split('\n')
    .map((text, i) => ({ at: i + 1, columns: [...text].length, isComment: /^\s*(?:\/\/|\/?\*)/.test(text) }))
    .filter(({ columns, isComment }) => isComment && columns > COLUMNS_MAX)
    .map(({ at, columns }) => `${at}: a comment of ${columns} columns (expected at most ${COLUMNS_MAX})`);
}

/** The files that people write code into. */
function sources() {
  const inFolder = (folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path));
  return SOURCES.flatMap(inFolder).filter((path) => /\.(?:ts|js|mjs)$/.test(path) && !path.includes('node_modules'));
}

/** The document with empty lines in place of code, headings, comments, and what is between two marks of a script. */
function proseOf(markdown) {
  const blank = (text) => text.replace(/[^\n]/g, '');
  return markdown
    .replace(/^<!-- [^/][^\n]* -->$[\s\S]*?^<!-- \/[^\n]*-->$/gm, (region) =>
      /<!-- [^/]/.test(region.slice(4)) ? region : blank(region),
    )
    .replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/^( *)```[\s\S]*?^ *```$/gm, blank)
    .replace(/^#.*$/gm, '');
}

/** The parts of a document, each with its first line's number: paragraphs and items as text, and rows of tables. */
function partsOf(markdown) {
  const parts = [];
  let open;
  for (const [i, line] of proseOf(markdown).split('\n').entries()) {
    const isRow = /^\s*\|/.test(line);
    if (isRow) parts.push({ line: i + 1, row: line });
    if (isRow || line.trim() === '') open = undefined;
    else if (open === undefined || /^\s*(?:[-*]|\d+\.) /.test(line)) {
      open = { line: i + 1, lines: [line] };
      parts.push(open);
    } else open.lines.push(line);
  }
  return parts;
}

/** The sentences of a text without markup. */
function sentencesOf(text) {
  const plain = text
    .replace(/`[^`]*`/g, 'CODE')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^\s*(?:[-*]|\d+\.) /, '')
    .replace(/\*\*/g, '');
  const sentences = [''];
  for (const word of plain.split(/\s+/).filter((each) => each !== '')) {
    sentences[sentences.length - 1] += `${word} `;
    if (/[.!?][)'"”]*$/.test(word) && !SHORT.test(word)) sentences.push('');
  }
  return sentences.map((sentence) => sentence.trim()).filter((sentence) => sentence !== '');
}

/** Words, where a dash or an operator alone is none. */
function wordsIn(sentence) {
  return sentence.split(' ').filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** What is hard to read in a document, a line each. */
export function findHardProse(markdown) {
  return partsOf(markdown).flatMap(({ line, lines, row }) => {
    if (row !== undefined) {
      const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
      const long = cells.filter((cell) => cell.length > CELL_MAX);
      return long.map((cell) => `${line}: a cell of ${cell.length} characters (expected at most ${CELL_MAX}): ${cell}`);
    }
    const wide = lines
      .map((text, i) => ({ at: line + i, columns: [...text].length, text }))
      .filter(({ columns, text }) => columns > COLUMNS_MAX && text.trim().includes(' '))
      .map(({ at, columns }) => `${at}: ${columns} columns (expected at most ${COLUMNS_MAX})`);
    const long = sentencesOf(lines.join(' '))
      .map((sentence) => ({ sentence, words: wordsIn(sentence) }))
      .filter(({ words }) => words > WORDS_MAX)
      .map(
        ({ sentence, words }) => `${line}: a sentence of ${words} words (expected at most ${WORDS_MAX}): ${sentence}`,
      );
    return [...wide, ...long];
  });
}

/** The words of a text; code of up to 70 characters is one. */
function unbroken(text) {
  return text.match(/(?:`[^`]{1,70}`|\S)+/g) ?? [];
}

/** The document with every paragraph broken anew that has a line which is too long. */
export function breakLines(markdown) {
  const lines = markdown.split('\n');
  const long = partsOf(markdown).filter(({ lines: own }) => own?.some((text) => [...text].length > COLUMNS_MAX));
  // From the end: the numbers of the parts before stay as they are.
  for (const { line, lines: own } of long.reverse()) {
    const [, first, rest] = /^(\s*(?:(?:[-*]|\d+\.) )?)(.*)$/.exec(own[0]);
    const words = unbroken([rest, ...own.slice(1).map((text) => text.trim())].join(' '));
    const broken = [first];
    for (const word of words) {
      const last = broken.length - 1;
      const isEmpty = broken[last].trim() === first.trim() && broken[last].length === first.length;
      const next = isEmpty ? broken[last] + word : `${broken[last]} ${word}`;
      if (isEmpty || [...next].length <= COLUMNS_MAX) broken[last] = next;
      else broken.push(' '.repeat(first.length) + word);
    }
    lines.splice(line - 1, own.length, ...broken);
  }
  return lines.join('\n');
}

if (isMain(import.meta.url)) {
  await runScript(() => {
    const paths = documents();
    const found = paths.flatMap((path) => {
      let text = readFileSync(join(root, path), 'utf8');
      if (process.argv.includes('--write')) {
        text = breakLines(text);
        writeFileSync(join(root, path), text);
      }
      return findHardProse(text).map((sentence) => `${path}:${sentence}`);
    });
    for (const path of sources()) {
      found.push(...findWideComments(readFileSync(join(root, path), 'utf8')).map((line) => `${path}:${line}`));
    }
    if (found.length > 0) throw new Refusal(found.join('\n'));
    console.log(`prose: ${paths.length} documents, no sentence over ${WORDS_MAX} words`);
  });
}
