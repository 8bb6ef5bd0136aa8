// The examples of providers run, and docs/providers.md shows the one that the suite runs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { run } from './support/run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('examples/providers', () => {
  test.each([
    ['wasm-memory', 'wasm-memory'],
    ['slab', 'slab'],
    ['user-area', 'user-area'],
    ['own', 'region'],
  ])('with-%s.ts hands every page to the same consumer', async (name, kind) => {
    const args = ['scripts/run-ts.mjs', `examples/providers/with-${name}.ts`];
    expect(await run(process.execPath, args, root)).toMatchObject({
      stdout: `${kind}: 500 pages, sum right, ended well\n`,
      end: 0,
    });
  });
});

describe('docs/providers.md', () => {
  const example = readFileSync(join(root, 'examples/providers/region.ts'), 'utf8');

  test('shows the provider that the conformance suite runs, in at most 60 lines', () => {
    expect(readFileSync(join(root, 'docs/providers.md'), 'utf8')).toContain(`\`\`\`ts\n${example}\`\`\``);
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(60);
  });
});
