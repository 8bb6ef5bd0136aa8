// The stack of an installed package leads back to the sources.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PagePool } from 'pagepool';
import { expect, test } from 'vitest';
import { sourceLines } from '../../scripts/source-lines.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The frames of the package itself: the function's name, and where it is. */
function framesOf(stack: string): { name: string; file: string; line: number }[] {
  return [...stack.matchAll(/at (?:async |new )?(?:\w+\.)?(\S+) \((src\/\S+\.ts):(\d+):\d+\)/g)].map(
    ([, name, file, line]) => ({ name: name as string, file: file as string, line: Number(line) }),
  );
}

test('a stack names the lines of the sources, and functions by their names', async () => {
  const pool = await PagePool.create();
  const page = pool.alloc();
  pool.release(page);
  const stack = await Promise.resolve()
    .then(() => pool.release(page))
    .catch((error: Error) => error.stack as string);
  await pool.close();
  const frames = framesOf(sourceLines(stack as string));
  expect(frames.map(({ name }) => name)).toContain('release');
  const release = frames.find(({ name }) => name === 'release');
  expect(release?.file).toBe('src/pool/attached-pool.ts');
  const line = readFileSync(`${root}/${release?.file}`, 'utf8').split('\n')[(release?.line as number) - 1];
  expect(line).toMatch(/refusal|throw/);
});

test('other places stay as they are', () => {
  const stack = 'at run (node:internal/x:1:2)\nat x (/home/me/build/none.js:3:4)\nat y (/home/me/built/index.js:1:1)';
  expect(sourceLines(stack)).toBe(stack);
});
