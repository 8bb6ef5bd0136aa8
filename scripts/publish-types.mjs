// Copies the declarations that the entries reach from build/generated/types/src to build/, and no others.
//
// A public type that reaches outside src/ (assembly/layout.ts, generated code) would not resolve in an installed
// package: that fails here. Of the files that are reached, a declaration goes that no entry exports and nothing
// mentions that stays. A file of which no entry exports anything is read by compilers alone, and so is what no exported
// declaration mentions: their comments stay out.
//
// The text is tsc's own, in which each declaration begins a line; TypeScript 7 has no parser to ask. Mentioned is what
// stands there as a word, whatever it means: so too much may stay, and nothing goes that is needed.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { buildDir, filesBelow, Refusal, root } from './support.mjs';

const generated = join(buildDir, 'generated/types/src');
const SPECIFIER = /((?:\bfrom|\bimport)\s*\(?\s*)(['"])(\.{1,2}\/[^'"]+?)\.(?:js|ts)\2/g;
const COMMENT = /^ *\/\*\*[\s\S]*?\*\/\n/gm;
const DECLARATION = /^(?:export |declare |abstract |import |interface |type |class |function |const |let )/;
const IMPORT = /^(import (?:type )?)\{([^}]*)\}( from '\.[^']+';)/;
const NAME = /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|function|const|let) (\w+)/m;

/** The files that the entries re-export from, and the names: file -> names. */
function exportsOf(entries) {
  const exported = new Map(entries.map((file) => [file, new Set()]));
  for (const entry of entries) {
    const lists = readFileSync(entry, 'utf8').matchAll(/^export (?:type )?(\*|\{[^}]*\}) from '(\.[^']+)\.[jt]s';$/gm);
    for (const [, list, path] of lists) {
      if (list === '*') throw new Refusal(`${relative(root, entry)}: export * (expected the names)`);
      const file = join(dirname(entry), `${path}.d.ts`);
      if (!exported.has(file)) exported.set(file, new Set());
      for (const [, name] of list.matchAll(/[{,]\s*(?:type )?(\w+)/g)) exported.get(file).add(name);
    }
  }
  return exported;
}

/** The declarations of a text, each with its comment: joined by new lines they are the text. */
function declarationsOf(text) {
  const parts = [[]];
  let isOfNext = false; // the part has a comment so far, whose declaration comes
  for (const line of text.split('\n')) {
    const isDeclaration = DECLARATION.test(line);
    if (line.startsWith('/**') || (isDeclaration && !isOfNext)) parts.push([]);
    if (line.startsWith('/**')) isOfNext = true;
    else if (isDeclaration) isOfNext = false;
    parts.at(-1).push(line);
  }
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => {
      const part = lines.join('\n');
      const code = part.replace(COMMENT, '');
      return { part, code, name: code.match(NAME)?.[1], isImport: IMPORT.test(code) };
    });
}

/** An import of those names alone that the declarations mention; empty where they mention none. */
function importOf(code, declarations) {
  const words = new Set(declarations.flatMap((each) => each.code.match(/\w+/g)));
  return code.replace(IMPORT, (_, keyword, list, rest) => {
    const names = list.split(',').filter((name) => words.has(name.match(/\w+\s*$/)?.[0].trim()));
    return names.length === 0 ? '' : `${keyword}{${names.join(',').trimEnd()} }${rest}`;
  });
}

/** Those of `all` that `first` mention, and those that these mention, and so on; with `first`. */
function mentionedBy(first, all) {
  const found = new Set(first);
  for (const { code } of found) {
    const words = new Set(code.match(/\w+/g));
    for (const each of all) if (words.has(each.name)) found.add(each);
  }
  return found;
}

/** The files that `roots` reach by what their texts import and re-export, `roots` among them. */
function reachedFrom(roots, textOf) {
  const reached = new Set(roots);
  for (const file of reached) {
    if (!file.startsWith(generated) || !existsSync(file)) {
      throw new Refusal(`a public type reaches ${relative(root, file)} (expected: only files of src/)`);
    }
    for (const [, , , path] of textOf(file).matchAll(SPECIFIER)) reached.add(join(dirname(file), `${path}.d.ts`));
  }
  return reached;
}

/** @param {string[]} entries declaration files below the root, such as build/index.d.ts */
export function publishTypes(entries) {
  for (const file of filesBelow(buildDir)) {
    if (file.endsWith('.d.ts') && !file.startsWith(join(buildDir, 'generated'))) rmSync(file);
  }
  const roots = entries.map((path) => join(generated, relative(buildDir, join(root, path))));
  const exported = exportsOf(roots);
  const files = new Map();
  for (const file of reachedFrom(roots, (each) => readFileSync(each, 'utf8'))) {
    const text = readFileSync(file, 'utf8').replace(SPECIFIER, '$1$2$3.js$2');
    files.set(file, declarationsOf(text));
  }
  const all = [...files.values()].flat();
  const isExported = (file, { name }) => exported.get(file)?.has(name) === true;
  const first = [...files].flatMap(([file, parts]) => parts.filter((part) => isExported(file, part)));
  const isLoose = ({ name, isImport }) => name === undefined && !isImport; // re-exports, comments of the file
  const kept = mentionedBy([...first, ...all.filter(isLoose)], all);
  const shown = mentionedBy(first, all);
  const texts = new Map();
  for (const [file, parts] of files) {
    const left = parts.filter((part) => kept.has(part));
    const isShown = (part) => exported.has(file) && (part.name === undefined || shown.has(part));
    const text = [
      ...parts.filter(({ isImport }) => isImport).map(({ code }) => importOf(code, left)),
      ...left.map((each) => (isShown(each) ? each.part : each.code)),
    ];
    texts.set(file, text.filter((part) => part !== '').join('\n'));
  }
  for (const file of reachedFrom(roots, (each) => texts.get(each))) {
    const target = join(buildDir, relative(generated, file));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, texts.get(file));
  }
}
