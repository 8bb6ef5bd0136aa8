// docs/commonjs.md says with which settings of which TypeScript a program compiles: each row is compiled, in the
// consumer's project, where the packed package is installed. What is not known to work is an error by its number.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { toolPath } from '../../scripts/toolchain.mjs';
import { casesOfRun } from '../support/lane.js';
import { compile } from './support/compile.js';
import { consumer } from './support/consumer.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs/commonjs.md'), 'utf8');

const compilers = [
  { name: '5.2', folder: toolPath('typescript-5.2') },
  { name: '5.9', folder: toolPath('typescript-5.9') },
  { name: '7.0', folder: join(root, 'node_modules/typescript') },
];

/** The files of the second column. */
const files: Readonly<Record<string, { name: string; source: string }>> = {
  'an ES module': {
    name: 'module.mts',
    source: "import { PagePool } from 'pagepool';\nimport { lines } from 'pagepool/packet';\n",
  },
  'CommonJS, `import`': {
    name: 'common.cts',
    source: "import { PagePool } from 'pagepool';\nimport { lines } from 'pagepool/packet';\n",
  },
  'CommonJS, `await import()`': {
    name: 'later.cts',
    source:
      "async function load() {\n  const { PagePool } = await import('pagepool');\n  const { lines } = await import('pagepool/packet');\n",
  },
};
const USE = 'const pool: string = PagePool.createSync({ pageCount: 4 }).name;\nvoid [pool, lines];\n';

const table = page.slice(page.indexOf('| settings |')).split('\n\n')[0] ?? '';
const [head = [], , ...rows] = table.split('\n').map((row) => row.slice(2, -2).split(' | '));

test('the page names the compilers that are tried', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/typescript/package.json'), 'utf8')) as {
    version: string;
  };
  expect(version).toMatch(/^7\.0\./);
  expect(head).toEqual(['settings', 'the file', ...compilers.map(({ name }) => name)]);
  expect(rows.length).toBeGreaterThan(7);
});

/** The newest is quick; the others in the long run. */
const some = casesOfRun({ short: compilers.slice(2), long: compilers.slice(0, 2) });

describe.each(some)('TypeScript $name', ({ name, folder }) => {
  test.each(rows.map((row) => ({ settings: row[0] ?? '', file: row[1] ?? '', says: row[head.indexOf(name)] })))(
    'with $settings, $file: $says',
    async ({ settings, file, says }) => {
      const { name: fileName, source } = files[file] ?? { name: '', source: '' };
      const place = `settings-${name}-${settings.replace(/\W+/g, '-')}-${fileName}`;
      const folderOfIt = join(consumer, 'src', place);
      mkdirSync(folderOfIt, { recursive: true });
      writeFileSync(
        join(folderOfIt, fileName),
        `${source}${USE}${source.startsWith('async') ? '}\nvoid load();\n' : ''}`,
      );
      const chosen = Object.fromEntries([...settings.matchAll(/`(\w+): (\w+)`/g)].map((match) => match.slice(1, 3)));
      const compilerOptions = { strict: true, noEmit: true, target: 'ES2022', lib: ['ES2022'], types: [], ...chosen };
      const config = join(consumer, `tsconfig.${place}.json`);
      writeFileSync(config, JSON.stringify({ compilerOptions, files: [`src/${place}/${fileName}`] }));
      const said = await compile(folder, config);
      expect(says === 'yes' ? said : [...new Set(said.match(/TS\d+/g))], said).toEqual(
        says === 'yes' ? 'exit code 0' : expect.arrayContaining([says]),
      );
    },
  );
});
