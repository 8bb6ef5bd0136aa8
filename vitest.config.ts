// The suites: one project for each kind of test; *.long.test.ts run in `npm run test:long` alone.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { TEST_HUNG_MS } from './test/support/waiting.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Tests that share the processor with others of their kind. */
function project(name: string) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      exclude: ['test/**/*.long.test.ts', '**/node_modules/**'],
      testTimeout: TEST_HUNG_MS,
      hookTimeout: TEST_HUNG_MS,
      maxWorkers: availableParallelism(), // by default one fewer: on two cores, one
      sequence: { groupOrder: 0 },
    },
  };
}

/** Tests that start threads of their own: one file at a time, after the others. */
function threaded(name: string, groupOrder: number) {
  const { test, ...rest } = project(name);
  return { ...rest, test: { ...test, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder } } };
}

const { test: longTest, ...longRest } = threaded('long', 9);
const long = {
  ...longRest,
  test: {
    ...longTest,
    include: ['test/**/*.long.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 8 * TEST_HUNG_MS,
  },
};

// Installs, runtimes, bundlers and a browser, which use both cores by themselves.
const { test: packageTest, ...packageRest } = threaded('package', 5);
const packaged = { ...packageRest, test: { ...packageTest, globalSetup: ['test/package/support/setup.ts'] } };

export default defineConfig({
  resolve: {
    alias: [
      { find: /^pagepool$/, replacement: path('./build/index.js') },
      { find: /^pagepool\/([\w-]+)$/, replacement: path('./build/$1.js') },
    ],
  },
  test: {
    passWithNoTests: true,
    execArgv: ['--expose-gc'],
    projects:
      process.env.LONG === '1'
        ? [long]
        : [
            project('unit'),
            project('property'),
            project('fuzz'),
            project('interleaving'),
            threaded('fault', 1),
            threaded('kernel', 1),
            threaded('litmus', 2),
            threaded('stress', 3),
            threaded('user', 3),
            threaded('browser', 4),
            threaded('packet', 6),
            threaded('node', 7),
            threaded('webgpu', 4),
            packaged,
          ],
  },
});
