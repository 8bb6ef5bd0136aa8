// The lint of the floors refuses an import that runs up and a circle, and reads its floors from the document.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { lintFloors, readFloors } from '../../scripts/lint-floors.mjs';

const floors = [['src/*.ts'], ['src/pool/'], ['src/port/', 'src/leaks/'], ['src/control/', 'src/errors.ts']];

/** The files of a tower in which everything is in order, but for those that are given. */
const lint = (files: Record<string, string>): string[] => {
  const tower: Record<string, string> = {
    'src/index.ts': "export { Pool } from './pool/pool.js';\n",
    'src/pool/pool.ts': "import { seat } from '../port/port.js';\nexport class Pool { seat = seat; }\n",
    'src/port/port.ts': "import type { Word } from '../control/words.js';\nexport const seat: Word = 0;\n",
    'src/leaks/tracker.ts': "import { fail } from '../errors.js';\nfail();\n",
    'src/control/words.ts': 'export type Word = number;\n',
    'src/errors.ts': 'export const fail = () => {};\n',
    ...files,
  };
  return lintFloors(
    floors,
    Object.entries(tower).map(([path, source]) => ({ path, source })),
  );
};

test('a tower that looks down passes, also past a floor', () => {
  expect(
    lint({ 'src/pool/deep.ts': "import type { Word } from '../control/words.js';\nexport type W = Word;\n" }),
  ).toEqual([]);
});

describe('an import that runs up is refused, with file and line', () => {
  test.each([
    ['a value', "\nimport { Pool } from '../pool/pool.js';\nnew Pool();\n", 2],
    ['a type', "import type { Pool } from '../pool/pool.js';\nexport type P = Pool;\n", 1],
    ['a type among values', "import { type Pool } from '../pool/pool.js';\nexport type P = Pool;\n", 1],
    ['what is handed on', "// a comment\n\nexport type { Pool } from '../pool/pool.js';\n", 3],
    ['everything that is handed on', "export * from '../pool/pool.js';\n", 1],
    ['a type in place', "export type P =\n  import('../pool/pool.js').Pool;\n", 2],
    ['what is imported later', "export const load = () => import('../pool/pool.js');\n", 1],
  ])('%s', (_, source, line) => {
    expect(lint({ 'src/control/up.ts': source })).toContainEqual(
      expect.stringMatching(
        new RegExp(`^src/control/up\\.ts:${line}: imports src/pool/pool\\.ts, which stands above it .*; move`),
      ),
    );
  });
});

test('rooms on one floor do not import each other', () => {
  expect(lint({ 'src/leaks/beside.ts': "import { seat } from '../port/port.js';\nseat;\n" })).toEqual([
    expect.stringContaining('src/leaks/beside.ts:1: imports src/port/port.ts, which stands beside it'),
  ]);
});

test('a circle of files in a room is refused, types included, with each of its imports', () => {
  const circle = {
    'src/control/one.ts': "import { two } from './two.js';\nexport type One = typeof two;\n",
    'src/control/two.ts': "\n\nimport type { Three } from './three.js';\nexport const two: Three = 0;\n",
    'src/control/three.ts': "import type { One } from './one.js';\nexport type Three = One;\n",
  };
  const [problem, ...others] = lint(circle);
  expect(others).toEqual([]);
  expect(problem).toContain('a circle of files: src/control/one.ts -> src/control/two.ts -> src/control/three.ts');
  expect(problem).toContain('src/control/two.ts:3: imports src/control/three.ts');
});

test('a circle of folders is refused, where no file is in one', () => {
  const circle = {
    'src/control/engine.ts': "import { step } from './steps/step.js';\nstep();\n",
    'src/control/steps/step.ts': 'export const step = () => {};\n',
    'src/control/steps/other.ts': "import type { Word } from '../words.js';\nexport type W = Word;\n",
  };
  expect(lint(circle)).toEqual([expect.stringContaining('a circle of folders: src/control -> src/control/steps')]);
});

test('a file without a room, and a room without a file, are refused', () => {
  expect(lint({ 'src/attic/old.ts': '' })).toEqual([expect.stringContaining('src/attic/old.ts:1: is in no room')]);
  expect(lintFloors([...floors, ['src/cellar/']], [{ path: 'src/errors.ts', source: '' }])).toContainEqual(
    expect.stringContaining('src/cellar/ has no file'),
  );
});

test('a file that cannot be read is an error, and not one without imports', () => {
  expect(() => lint({ 'src/control/broken.ts': "import { from '../pool/pool.js';\n" })).toThrow(
    'src/control/broken.ts',
  );
});

test('the floors are those that docs/architecture.md shows, the highest first', () => {
  const text = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8');
  const rooms = readFloors(text).flat();
  expect(rooms[0]).toBe('src/*.ts');
  expect(rooms.at(-1)).toBe('assembly/');
  expect(rooms.indexOf('src/pool/')).toBeLessThan(rooms.indexOf('src/control/'));
  expect(() => readFloors('no table')).toThrow('no table');
});
