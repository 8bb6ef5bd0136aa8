// The types of the package as each kind of import finds them, by are-the-types-wrong: it compiles every entry alone.

import { expect, test } from 'vitest';
import { toolPath } from '../../scripts/toolchain.mjs';
import { consumer, tarball } from './support/consumer.js';
import { run } from './support/run.js';

test('gives types that are right for ES modules, by are-the-types-wrong', async () => {
  const { stdout, stderr, end } = await run(
    process.execPath,
    // The core is bytes to be fetched or read, which no type could describe.
    [toolPath('@arethetypeswrong/cli/dist/index.js'), '--profile=esm-only', '--exclude-entrypoints=core.wasm', tarball],
    consumer,
  );
  expect(end, stdout + stderr).toBe(0);
  expect(stdout).toContain('node16 (from ESM)');
});
