// The installed package in jest, with its defaults: tests that are modules and tests in CommonJS, in Node's environment
// and in jsdom's, as docs/testing.md has it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runtimes, toolPath } from '../../scripts/toolchain.mjs';
import { casesOfRun } from '../support/lane.js';
import { HUNG_MS } from '../support/waiting.js';
import { consumer } from './support/consumer.js';
import { run } from './support/run.js';

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

const KINDS = ['a test in CommonJS, import()', 'a test in CommonJS, require()', 'a test that is a module'];
const environments = { node: 'node', jsdom: toolPath('jest-environment-jsdom') };

/** Node with what jest needs of it: require() of a module came to its realms in 24.9. */
const own = { name: `Node ${process.versions.node.split('.')[0]}`, program: process.execPath };
const others = runtimes.filter(({ name }) => /^Node 2[46]$/.test(name));
/** The newest one has all kinds of tests; this one, and the one between them, in the long run. */
const nodes = casesOfRun({ short: others.slice(-1), long: [own, ...others.slice(0, -1)] });

describe.each(nodes)('$name', ({ name, program }) => {
  test.skipIf(!existsSync(program)).each(Object.entries(environments))('jest with %s', async (_, environment) => {
    const jest = ['--experimental-vm-modules', '--no-warnings', toolPath('jest/bin/jest.js')];
    const place = ['--rootDir', join(consumer, 'src/jest'), '--config', '{}', '--env', environment];
    const how = ['--runInBand', '--json', `--testTimeout=${HUNG_MS}`];
    const { stdout, stderr } = await run(program, [...jest, ...place, ...how], consumer);
    expect(stdout, stderr).not.toBe('');
    const { testResults } = JSON.parse(stdout) as Report;
    const passed = testResults.flatMap(({ assertionResults }) =>
      assertionResults.filter(({ status }) => status === 'passed').map(({ title }) => title),
    );
    const canRequire = Number(name.split(' ')[1]) >= 24;
    const expected = KINDS.filter((kind) => canRequire || !kind.includes('require'));
    expect(passed.sort(), testResults.map(({ message }) => message).join('\n')).toEqual(expected);
  });
});
