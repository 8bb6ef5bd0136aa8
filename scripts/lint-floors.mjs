// Imports run down, never up or in a circle: checks src/ and assembly/ against the floors that docs/architecture.md
// lists.
//
// Each row of that table is a floor, the highest first; its first cell names the rooms on it: `x/` is a folder, `x.ts`
// a file, `*.ts` stands for the entries that no other row names. A file may import what is in its own room and what is
// on lower floors: nothing above, and no other room of its floor. No files, and no folders, import each other in a
// circle. Types count like everything else: `import type`, `export ... from` and `import('x')` in a type.

import { readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { parseSync } from 'vite';
import { filesBelow, isMain, Refusal, root, runScript } from './support.mjs';

const DOCUMENT = 'docs/architecture.md';
const ENTRIES = '*.ts';

/**
 * The floors in a document, the highest first: the rooms of each, as paths below the root.
 * @param {string} text
 * @returns {string[][]}
 */
export function readFloors(text) {
  const table = text.match(/<!-- floors -->\n+((?:\|.*\n)+)/)?.[1];
  if (table === undefined) throw new Refusal(`${DOCUMENT}: no table behind <!-- floors -->`);
  const [, , ...rows] = table.trim().split('\n');
  return rows.map((row) => {
    const [, cell = ''] = row.split('|');
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => (name === 'assembly/' ? name : `src/${name}`));
  });
}

/** Every import of a source, with the line where it stands. */
function importsOf(path, source) {
  // Decorators of functions are AssemblyScript's alone: blank, so that lines stay.
  const plain = path.startsWith('assembly/') ? source.replace(/^ *@\w+(?:\([^)\n]*\))?/gm, '') : source;
  const { errors, program } = parseSync(path, plain);
  if (errors.length > 0) throw new Refusal(`${path}: ${errors[0].message}`);
  const imports = [];
  const visit = (node) => {
    if (typeof node !== 'object' || node === null) return;
    if (Array.isArray(node)) {
      for (const each of node) visit(each);
      return;
    }
    // A template literal, or a name, is told apart by what it lacks.
    const specifier = /^(?:Import|Export|TSImport)/.test(node.type ?? '') ? node.source?.value : undefined;
    if (typeof specifier === 'string' && specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
      imports.push({ target, line: plain.slice(0, node.start).split('\n').length });
    }
    for (const value of Object.values(node)) visit(value);
  };
  visit(program);
  return imports;
}

/** The room of a file, and the number of its floor from the top; undefined where no row has it. */
function placeOf(path, floors) {
  const isIn = (room) => (room.endsWith('/') ? path.startsWith(room) : path === room);
  for (const [floor, rooms] of floors.entries()) {
    const room = rooms.find(isIn);
    if (room !== undefined) return { floor, room };
  }
  const floor = floors.findIndex((rooms) => rooms.includes(`src/${ENTRIES}`));
  return floor >= 0 && posix.dirname(path) === 'src' ? { floor, room: path } : undefined;
}

/**
 * A circle among nodes, as the way around it; null where there is none.
 * @param {Map<string, Map<string, string>>} graph node -> the nodes that it names -> where it does
 */
function findCircle(graph) {
  const done = new Set();
  const walk = (node, way) => {
    const at = way.indexOf(node);
    if (at >= 0) return way.slice(at);
    if (done.has(node)) return null;
    for (const next of graph.get(node)?.keys() ?? []) {
      const circle = walk(next, [...way, node]);
      if (circle !== null) return circle;
    }
    done.add(node);
    return null;
  };
  for (const node of graph.keys()) {
    const circle = walk(node, []);
    if (circle !== null) return circle;
  }
  return null;
}

/** What is wrong with a circle, if there is one: each way of it with file and line. */
function problemsOfCircles(kind, graph) {
  const circle = findCircle(graph);
  if (circle === null) return [];
  const ways = circle.map((node, i) => {
    const next = circle[(i + 1) % circle.length];
    return `\n  ${graph.get(node).get(next)}: imports ${next}`;
  });
  return [
    `a circle of ${kind}: ${[...circle, circle[0]].join(' -> ')}${ways.join('')}\n  let one of them name what it needs by an interface of its own, or move what both need below them`,
  ];
}

/**
 * Checks sources together against floors.
 * @param {string[][]} floors
 * @param {{ path: string, source: string }[]} sources
 * @returns {string[]} what is wrong: `path:line: sentence`
 */
export function lintFloors(floors, sources) {
  const problems = [];
  const files = new Map();
  const folders = new Map();
  const name = (graph, from, to, where) => {
    if (!graph.has(from)) graph.set(from, new Map());
    if (from !== to && !graph.get(from).has(to)) graph.get(from).set(to, where);
  };
  const used = new Set();
  for (const { path, source } of sources) {
    const own = placeOf(path, floors);
    if (own === undefined) {
      problems.push(`${path}:1: is in no room (expected one of the floors of ${DOCUMENT}); add its room to the table`);
      continue;
    }
    used.add(own.room);
    for (const { target, line } of importsOf(path, source)) {
      const where = `${path}:${line}`;
      name(files, path, target, where);
      if (posix.dirname(path) !== 'src') name(folders, posix.dirname(path), posix.dirname(target), where);
      const other = placeOf(target, floors);
      if (other === undefined || other.room === own.room || other.floor > own.floor) continue;
      const above = other.floor < own.floor ? 'above it' : 'beside it, on the same floor';
      problems.push(
        `${where}: imports ${target}, which stands ${above} (expected its own room, or a lower floor); move what it needs down, or ask for it by an interface of its own`,
      );
    }
  }
  for (const room of floors.flat()) {
    if (!used.has(room) && !room.endsWith(ENTRIES))
      problems.push(`${DOCUMENT}: ${room} has no file (expected a room of src/); take it out of the table`);
  }
  return [...problems, ...problemsOfCircles('files', files), ...problemsOfCircles('folders', folders)];
}

/** The files that the rule is for. */
function sourcesOfTree() {
  return ['assembly', 'src']
    .flatMap((folder) => filesBelow(join(root, folder)))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => ({ path: relative(root, path).split(sep).join('/'), source: readFileSync(path, 'utf8') }));
}

if (isMain(import.meta.url)) {
  await runScript(() => {
    const floors = readFloors(readFileSync(join(root, DOCUMENT), 'utf8'));
    const sources = sourcesOfTree();
    const problems = lintFloors(floors, sources);
    if (problems.length > 0) throw new Refusal(`${problems.join('\n')}\nfloors: ${problems.length} problems`);
    console.log(`floors: ${sources.length} files on ${floors.length} floors, every import runs down, no circle`);
  });
}
