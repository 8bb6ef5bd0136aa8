// The suites: one project for each kind of test; *.long.test.ts run in `npm run test:long` alone.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Tests that share the processor with others of their kind. */
function project(name: string, testTimeout: number) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      exclude: ['test/**/*.long.test.ts', '**/node_modules/**'],
      testTimeout,
      maxWorkers: availableParallelism(), // by default one fewer: on two cores, one
      sequence: { groupOrder: 0 },
    },
  };
}

/** Tests that start threads of their own: one file at a time, after the others. */
function threaded(name: string, testTimeout: number, groupOrder: number) {
  const { test, ...rest } = project(name, testTimeout);
  return { ...rest, test: { ...test, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder } } };
}

const { test: longTest, ...longRest } = threaded('long', 3_600_000, 9);
const long = {
  ...longRest,
  test: { ...longTest, include: ['test/**/*.long.test.ts'], exclude: ['**/node_modules/**'] },
};

// Installs, runtimes, bundlers and a browser, which use both cores by themselves.
const { test: packageTest, ...packageRest } = threaded('package', 120_000, 5);
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
            project('unit', 20_000),
            project('property', 120_000),
            project('fuzz', 120_000),
            project('interleaving', 300_000),
            threaded('fault', 120_000, 1),
            threaded('kernel', 60_000, 1),
            threaded('litmus', 120_000, 2),
            threaded('stress', 180_000, 3),
            threaded('user', 180_000, 3),
            threaded('browser', 90_000, 4),
            threaded('packet', 180_000, 6),
            threaded('node', 60_000, 7),
            threaded('webgpu', 60_000, 4),
            packaged,
          ],
  },
});
