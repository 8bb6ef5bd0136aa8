// The long run of programs/uploads.mjs: 2,000 uploads on each Node.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { installed } from '../../scripts/installed.mjs';
import { runtimes } from '../../scripts/toolchain.mjs';

await installed('toolchain');

const program = fileURLToPath(new URL('programs/uploads.mjs', import.meta.url));
const nodes = [
  process.execPath,
  ...runtimes.filter(({ name }) => name.startsWith('Node')).map(({ program }) => program),
];

test.each(nodes.filter(existsSync))('2,000 random uploads are told right: %s', async (node) => {
  const env = { ...process.env, UPLOADS: '2000' };
  const { stdout } = await promisify(execFile)(node, ['--no-warnings', program], { env });
  expect(stdout).toBe('ok\n');
});
