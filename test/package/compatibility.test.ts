// docs/compatibility.md: its tables come from results, say what the toolchain has, and are not left half-made.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { fillResults } from '../../scripts/docs-compatibility.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const toolchain = JSON.parse(read('test/package/toolchain/package.json')) as Record<string, Record<string, string>>;

describe('the tables', () => {
  const region = (name: string): string => `<!-- results ${name} -->\nold\n<!-- /results -->\n`;
  const text = `prose\n${region('runtimes')}${region('adapters')}${region('bundlers')}${region('types')}`;
  const runtime = { name: 'Node', version: '1.2.3', threads: ['a', 'b'], features: { waitAsync: true }, alone: 'ends' };
  const found = {
    runtimes: [runtime],
    adapters: [{ name: 'Node', adapters: { connectInto: 'no copy', serveInto: 'one copy' } }],
    bundlers: [{ name: 'none', version: '', worker: 'x | y', browser: 'C' }],
    types: [{ version: '7', modes: [{ name: 'm', libraries: ['DOM', 'none'] }] }],
  };

  test('take results over and leave prose alone', () => {
    const filled = fillResults(text, found);
    expect(filled).toContain('| Node | 1.2.3 | a, b | yes | no | ends |\n');
    expect(filled).toContain('| Node | no copy | one copy |\n');
    expect(filled).toContain('| none |  | x \\| y | C |\n');
    expect(filled).toContain('| 7 | m | DOM; none |\n');
    expect(filled).toMatch(/^prose\n/);
    expect(filled).not.toContain('old');
    expect(fillResults(filled, found)).toBe(filled);
  });

  test('are not written where a region or the results are missing', () => {
    expect(() => fillResults(region('runtimes'), found)).toThrow('no region for adapters, bundlers, types');
    expect(() => fillResults(`${text}${region('others')}`, found)).toThrow('no results are called others');
    expect(() => fillResults(text, { ...found, types: [] })).toThrow('left no results for types');
  });

  test('name the versions that the toolchain has', () => {
    const compilers = ['typescript-5.2', 'typescript-5.9'];
    const named = ['vite', 'webpack', 'rollup', ...compilers, ...Object.keys(toolchain.optionalDependencies ?? {})];
    const versions = { ...toolchain.dependencies, ...toolchain.optionalDependencies };
    const document = read('docs/compatibility.md');
    for (const name of named) {
      expect(document, `${name}: run npm run compatibility`).toContain(`| ${versions[name]?.replace(/^.*@/, '')} |`);
    }
  });
});

test.each(['package-lock.json', 'test/package/toolchain/package-lock.json'])('%s names no registry', (path) => {
  const packages = Object.values((JSON.parse(read(path)) as { packages: Record<string, object> }).packages);
  expect(packages.length).toBeGreaterThan(50);
  expect(packages.filter((one) => 'resolved' in one)).toEqual([]);
});
