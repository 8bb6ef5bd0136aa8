// All words of the control region, six values each: as words.test.ts, which takes one of 41.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { chooseSeed } from '../support/ports.js';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const seed = chooseSeed('words');

it.each(['typescript', 'wasm'])('no overwritten word hangs a call of the %s engine or ends the program', (engine) => {
  const args = [path('../../scripts/run-ts.mjs'), path('words.ts'), engine, String(seed), '0', '1'];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  expect([status, last.slice(0, 1)]).toEqual([0, '{']);
  const { corrupt, wrong } = JSON.parse(last) as { corrupt: number; wrong: string[] };
  expect(wrong).toEqual([]);
  expect(corrupt).toBeGreaterThan(9);
});
