// Writes the tables of docs/memory-layout.md from assembly/layout.ts; with --check, compares only.
//
// A section of layout.ts begins at its ruled title; its name is the title up to the first comma or colon. Between
// <!-- layout NAME --> and <!-- /layout --> stand the section's diagrams as they are in the source and a table of its
// constants with their doc comments. What is written there by hand is replaced; the rest of the document is left alone.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, Refusal, root, runScript } from './support.mjs';

const DOCUMENT = 'docs/memory-layout.md';
const SOURCE = 'assembly/layout.ts';
const REGION = /(<!-- layout ([^>]+?) -->\n)[\s\S]*?(<!-- \/layout -->)/g;
const RULED = /^\/\/ -{10,} (.+)$/;
const CONSTANT = /^export const (\w+): \w+ = (-?\w+);$/;

/**
 * The sections of layout.ts by name, each a list of parts in their order: a diagram, or a run of constants.
 * @param {string} source
 * @returns {Map<string, { diagram?: string[], constants?: { name: string, value: string, meaning: string }[] }[]>}
 */
export function parseLayout(source) {
  const sections = new Map();
  let parts = newSection(sections, 'file');
  let meaning = [];
  let isOpen = false;
  for (const line of source.split('\n')) {
    const ruled = line.match(RULED);
    const constant = line.match(CONSTANT);
    if (ruled) {
      parts = newSection(sections, ruled[1].split(/[,:;]/)[0].trim());
    } else if (constant) {
      last(parts, 'constants').push({
        name: constant[1],
        value: constant[2],
        meaning: meaning.filter((line) => line !== '').join(' '),
      });
      meaning = [];
    } else if (line.startsWith('/**') || isOpen) {
      meaning.push(
        line
          .replace(/^ ?\/?\*+\/?/, '')
          .replace(/\*\/$/, '')
          .trim(),
      );
      isOpen = !line.endsWith('*/');
    } else if (line.startsWith('//')) {
      if (sections.size === 1) continue; // the file's own header is for readers of the file
      last(parts, 'diagram').push(line.replace(/^\/\/ ?/, '').trimEnd());
    } else if (line.trim() !== '') {
      throw new Refusal(`${SOURCE}: "${line}" is no constant and no comment`);
    }
  }
  return sections;
}

function newSection(sections, name) {
  if (sections.has(name)) throw new Refusal(`${SOURCE}: two sections are named ${name}`);
  sections.set(name, []);
  return sections.get(name);
}

/** The list of the last part, if it is of that kind, or of a new one. */
function last(parts, kind) {
  if (parts.at(-1)?.[kind] === undefined) parts.push({ [kind]: [] });
  return parts.at(-1)[kind];
}

/** A section as Markdown. */
function render(parts) {
  const blocks = parts.map(({ diagram, constants }) => (diagram ? renderDiagram(diagram) : renderTable(constants)));
  return `\n${blocks.filter((block) => block !== '').join('\n\n')}\n\n`;
}

function renderDiagram(lines) {
  const text = lines.join('\n').replace(/^\n+|\s+$/g, '');
  return text === '' ? '' : `\`\`\`text\n${text}\n\`\`\``;
}

function renderTable(constants) {
  const rows = constants.map(
    ({ name, value, meaning }) => `| \`${name}\` | ${value} | ${meaning.replaceAll('|', '\\|')} |`,
  );
  return ['| constant | value | meaning |', '|---|---:|---|', ...rows].join('\n');
}

/**
 * The document with its regions made anew. Every section must have its region.
 * @param {string} text
 * @param {ReturnType<typeof parseLayout>} sections
 */
export function fillTables(text, sections) {
  const missing = new Set(sections.keys());
  const filled = text.replace(REGION, (_, open, name, close) => {
    const parts = sections.get(name);
    if (parts === undefined) throw new Refusal(`${DOCUMENT}: ${SOURCE} has no section ${name}`);
    missing.delete(name);
    return `${open}${render(parts)}${close}`;
  });
  missing.delete('file');
  if (missing.size > 0) throw new Refusal(`${DOCUMENT}: no region for ${[...missing].join(', ')}`);
  return filled;
}

if (isMain(import.meta.url)) {
  await runScript(() => {
    const file = join(root, DOCUMENT);
    if (!existsSync(file)) throw new Refusal(`${DOCUMENT} is missing`);
    const text = readFileSync(file, 'utf8');
    const filled = fillTables(text, parseLayout(readFileSync(join(root, SOURCE), 'utf8')));
    if (filled === text) return;
    if (process.argv.includes('--check')) {
      throw new Refusal(`${DOCUMENT} is out of date: npm run docs`);
    }
    writeFileSync(file, filled);
  });
}
