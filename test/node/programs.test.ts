// Programs on each Node that the toolchain has: what Node itself does differs from version to version. Each asserts
// what is right, and says so.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { installed } from '../../scripts/installed.mjs';
import { runtimes } from '../../scripts/toolchain.mjs';
import { casesOfRun } from '../support/lane.js';
import { HUNG_MS } from '../support/waiting.js';

await installed('toolchain');

const run = promisify(execFile);
const folder = fileURLToPath(new URL('programs/', import.meta.url));
const programs = readdirSync(folder).filter((name) => name !== 'support.mjs' && name.endsWith('.mjs'));
const own = { name: `Node ${process.versions.node.split('.')[0]}`, program: process.execPath };
const others = runtimes.filter(({ name }) => name.startsWith('Node'));
/** This one; the others in the long run. */
const nodes = casesOfRun({ short: [own], long: others });

describe.each(nodes)('$name', ({ program }) => {
  test.skipIf(!existsSync(program)).each(programs)('%s', async (name) => {
    const { stdout } = await run(program, ['--no-warnings', `${folder}${name}`], { timeout: HUNG_MS });
    expect(stdout).toBe('ok\n');
  });
});
