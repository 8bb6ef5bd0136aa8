// The documents say what the sources say: error codes have rows, tables are made from the constants, links lead
// somewhere.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Fragment, PagePool } from 'pagepool';
import { describe, expect, test } from 'vitest';
import { outline } from '../../docs/site/outline.mjs';
import { fillErrors, loadErrorTable } from '../../scripts/docs-errors.mjs';
import { fillTables, parseLayout } from '../../scripts/docs-layout.mjs';
import { errorTable } from '../../src/errors.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const documents = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...pages.map((name) => `docs/${name}`),
];

describe('docs/errors.md', () => {
  test('has a row with cause and remedy for every code that the sources name', () => {
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.ts'),
    );
    const named = new Set(sources.flatMap((path) => read(`src/${path}`).match(/\bPOOL_ERR_[A-Z_]+/g) ?? []));
    const rows = new Map(
      [...read('docs/errors.md').matchAll(/^\| `(POOL_ERR_\w+)` \| (.+) \| (.+) \|$/gm)].map((row) => [row[1], row]),
    );
    expect([...rows.keys()].sort()).toEqual(
      errorTable()
        .map(({ code }) => code)
        .sort(),
    );
    for (const code of named) expect(rows.has(code), code).toBe(true);
  });

  test('is what the table gives', async () => {
    expect(fillErrors(read('docs/errors.md'), await loadErrorTable())).toBe(read('docs/errors.md'));
  });
});

describe('docs/api.md', () => {
  const page = read('docs/api.md');

  test('has a row for every option, and for none that there is not', () => {
    const options = read('src/pool/options.ts');
    for (const [heading, constant] of [
      ['| option | default | is |', 'OPTION_NAMES'],
      ['| of a channel | default | is |', 'CHANNEL_OPTION_NAMES'],
    ] as const) {
      const named = new RegExp(`const ${constant} =\\s*'([\\w ]+)'`).exec(options)?.[1]?.split(' ');
      const table = page.slice(page.indexOf(heading)).split('\n\n')[0] ?? '';
      const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map((row) => row[1]);
      expect(rows.sort()).toEqual(named?.sort());
    }
  });

  test('has a row for every call and value of a pool, a fragment and a channel, and for none that there is not', async () => {
    const pool = await PagePool.create({ channels: { work: {} } });
    const fragment = pool.take(1) as Fragment;
    for (const [heading, object] of [
      ['## A pool', pool],
      ['## A fragment', fragment],
      ['## A channel', pool.channel('work')],
    ] as const) {
      const section = page.slice(page.indexOf(heading)).split('\n## ')[0] ?? '';
      const column = [...section.matchAll(/^\| (.+?) \|/gm)].map((row) => row[1]).join(' ');
      const rows = [...column.matchAll(/`(?:PagePool\.)?(\w+)(?:\(.*?\))?`/g)].map((name) => name[1]);
      const type = object.constructor as typeof PagePool;
      const statics = Object.getOwnPropertyNames(type).filter((name) => typeof type[name as never] === 'function');
      const members = new Set([...Object.keys(object), ...statics]);
      for (let at = type.prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
        for (const name of Object.getOwnPropertyNames(at)) members.add(name);
      }
      for (const hidden of ['constructor', 'prototype', 'notPosted']) members.delete(hidden);
      expect(rows.sort()).toEqual([...members].sort());
    }
    fragment.release();
    await pool.close();
  });
});

describe('docs/memory-layout.md', () => {
  const source = [
    '// File.',
    '// ------------------------ ring block, 8 bytes',
    '//',
    '//   0 head   4 tail',
    '',
    '/** Where it starts. */',
    'export const HEAD_OFFSET: u32 = 0;',
    'export const TAIL_OFFSET: u32 = 0x4;',
  ].join('\n');
  const region = '<!-- layout ring block -->\nold\n<!-- /layout -->\nprose';

  test('is what layout.ts gives', () => {
    const text = read('docs/memory-layout.md');
    expect(fillTables(text, parseLayout(read('assembly/layout.ts')))).toBe(text);
  });

  test('takes diagrams, values and doc comments over and leaves prose alone', () => {
    const text = fillTables(region, parseLayout(source));
    expect(text).toContain('```text\n  0 head   4 tail\n```');
    expect(text).toContain('| `HEAD_OFFSET` | 0 | Where it starts. |\n| `TAIL_OFFSET` | 0x4 |  |');
    expect(text).not.toContain('old');
    expect(text.endsWith('<!-- /layout -->\nprose')).toBe(true);
    expect(fillTables(text, parseLayout(source))).toBe(text);
  });

  test('misses no section, names none that is gone, and takes nothing but constants', () => {
    expect(() => fillTables('', parseLayout(source))).toThrow('no region for ring block');
    expect(() => fillTables(region, parseLayout('// File.'))).toThrow('no section ring block');
    expect(() => parseLayout(`${source}\nlet x = 1;`)).toThrow('no constant');
  });
});

test.each(documents)('%s links to files and headings that are there', (document) => {
  for (const [, target] of read(document).matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
    const [path = '', heading] = (target as string).split('#');
    const file = path === '' ? join(root, document) : join(root, dirname(document), path);
    expect(existsSync(file), target).toBe(true);
    if (heading === undefined) continue;
    const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map((match) =>
      (match[1] as string)
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-'),
    );
    expect(headings, target).toContain(heading);
  }
});

test('the reading order of the manual names every document once, and none that is not there', () => {
  const named = outline.flatMap(({ pages }) => pages).filter((page) => typeof page === 'string');
  expect(named.map((name) => `${name}.md`).sort()).toEqual([...pages].sort());
});

describe('CONTRIBUTING.md', () => {
  const page = read('CONTRIBUTING.md');
  const quoted = [...page.matchAll(/`([^`\n]+)`|^((?:\w+=\S+ )*(?:npm|npx) .*)$/gm)].map(
    (match) => match[1] ?? (match[2] as string),
  );

  test('names files that are there', () => {
    const paths = quoted.filter((text) => /^(?:\.ci|assembly|bench|docs|scripts|src|test)\/[\w./-]+$/.test(text));
    expect(paths.length).toBeGreaterThan(40);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test('names scripts of package.json and projects of the test runner that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = quoted.flatMap((text) => [...text.matchAll(/npm run ([\w:]+)/g)].map((match) => match[1] as string));
    expect(named).toEqual(expect.arrayContaining(['check', 'release']));
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
    const projects = quoted.flatMap((text) =>
      [...text.matchAll(/--project (\w+)/g)].map((match) => match[1] as string),
    );
    const known = [...read('vitest.config.ts').matchAll(/(?:project|alone|apart)\('(\w+)'/g)].map((match) => match[1]);
    expect(new Set(projects).size).toBeGreaterThan(2);
    expect(projects.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('says which Binaryen is pinned, which is the one that the compiler asks for', () => {
    const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> };
    const compiler = JSON.parse(read('node_modules/assemblyscript/package.json')) as {
      version: string;
      dependencies: Record<string, string>;
    };
    expect(devDependencies.binaryen).toBe(compiler.dependencies.binaryen);
    expect(devDependencies.assemblyscript).toBe(compiler.version);
    expect(page).toContain(`\`${devDependencies.binaryen}\``);
    expect(page).toContain(`AssemblyScript ${compiler.version} `);
  });
});
