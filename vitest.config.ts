// The suites: one project for each folder of test/; *.long.test.ts run in `npm run test:long` alone, in three projects.

import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { TEST_HUNG_MS } from './test/support/waiting.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Tests that have not proven themselves yet, or look for a fault that is not understood: by hand, with TRIAL=1. */
const trials = process.env.TRIAL === '1' ? [] : ['test/**/*.trial.*'];

/** Tests that look at all timers, warnings or memory of their process, or take something of the platform out of it. */
const OWN_PROCESS = [
  ...['afterwards', 'bells', 'closing', 'every-wait', 'leaks', 'leaks-dropped', 'leftovers', 'lifelines'],
  ...['lifelines-without', 'providers/failing', 'slabs', 'stalls'],
].map((name) => `test/unit/${name}.test.ts`);

/** Of suites that share the machine: threads that must meet, and a look at the process's memory. */
const ALONE = ['test/kernel/threads.test.ts', 'test/stress/memory.test.ts'];

/**
 * Tests that share the machine with others: whatever they need they wait for. One file more than there are processors,
 * since many of them wait for programs to start, pages to load and threads to be told. Threads of test/stress meet
 * there, too, in other ways than alone: the long run has the machine for each of their files.
 *
 * The files of a suite also share processes, one after the other in each: most of what a small file costs is the start
 * of a process and the loading of modules.
 */
function project(name: string) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      exclude: [...OWN_PROCESS, ...ALONE, 'test/**/*.long.test.ts', ...trials, '**/node_modules/**'],
      isolate: false,
      testTimeout: TEST_HUNG_MS,
      hookTimeout: TEST_HUNG_MS,
      maxWorkers: availableParallelism() + 1,
      sequence: { groupOrder: 0 },
    },
  };
}

/** The files that must not share a process. */
function ownProcess() {
  const { test, ...rest } = project('own-process');
  const exclude = [...trials, '**/node_modules/**'];
  return { ...rest, test: { ...test, include: OWN_PROCESS, exclude, isolate: true } };
}

/**
 * Tests whose threads must meet on processors of their own, or that measure memory: one file at a time, behind the
 * others.
 */
function alone(name: string, include = [`test/${name}/**/*.test.ts`]) {
  const { test, ...rest } = project(name);
  const limits = { isolate: true, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder: 1 } };
  const exclude = test.exclude.filter((path) => !ALONE.includes(path));
  return { ...rest, test: { ...test, include, exclude, ...limits } };
}

/** Long tests whose threads need processors of their own, or that measure memory. */
const LONG_ALONE = ['test/{litmus,stress}/**/*.long.test.ts', 'test/{browser,unit}/{memory,leftovers}*.long.test.ts'];
const LONG_PACKAGE = ['test/package/**/*.long.test.ts'];

/** As many files at a time as there are processors. */
function inPairs<Project extends ReturnType<typeof project>>({ test, ...rest }: Project) {
  return { ...rest, test: { ...test, maxWorkers: availableParallelism() } };
}

/** A part of the long run, of the files that `include` names and `exclude` does not; by `LONG=1`. */
function long({ test, ...rest }: ReturnType<typeof project>, include: string[], exclude: string[] = []) {
  const files = { include, exclude: [...exclude, ...trials, '**/node_modules/**'] };
  return { ...rest, test: { ...test, ...files, isolate: true, testTimeout: 8 * TEST_HUNG_MS } };
}

const { test: packageTest, ...packageRest } = project('package');
const packaged = { ...packageRest, test: { ...packageTest, globalSetup: ['test/package/support/setup.ts'] } };
/** Two at a time: most of them compute all the time. */
const longProjects = [
  long(inPairs(project('long')), ['test/**/*.long.test.ts'], [...LONG_ALONE, ...LONG_PACKAGE]),
  long(inPairs({ ...packaged, test: { ...packaged.test, name: 'long-package' } }), LONG_PACKAGE),
  long(alone('long-alone'), LONG_ALONE),
];

/**
 * Files that take longest, the longest first: begun last, one of them would go on when everything else is done. Those
 * that need no browser and no toolchain come before those that may have to wait until it is installed.
 */
const LONGEST = [
  'interleaving/deaths.typescript.long',
  'interleaving/deaths.mixed.long',
  'interleaving/deaths.wasm.long',
  'interleaving/larger.long',
  'interleaving/faults.long',
  'interleaving/outer-faults.long',
  'package/bench.long',
  'browser/threads.long',
  'browser/deaths.long',
  'fuzz/words.long',
  'fault/overflow.long',
  'browser/providers.long',
  'interleaving/scenarios.wasm',
  'interleaving/scenarios.typescript',
  'interleaving/deaths.typescript',
  'package/runtimes',
  'browser/threads',
  'package/bundlers',
  'browser/isolation',
  'node/programs',
  'package/demo',
  'package/bench',
  'browser/guide',
  'browser/inspector',
  'browser/examples',
  'browser/kills',
  'browser/memory',
  'package/types',
  'package/readme',
  'package/jest',
  'browser/web',
  'browser/providers',
  'interleaving/scenarios.mixed',
  'interleaving/deaths.afterwards',
  'browser/user-area',
  'unit/leftovers',
  'kernel/bugs',
  'stress/providers',
  'stress/storms',
  'unit/release',
  'fault/provider-steps',
  'unit/conformance',
  'property/model',
  'property/engines',
  'packet/threads',
  'fuzz/words',
  'unit/address-limit',
].map((name) => `test/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // Of the others one suite after the other: a process that is shared goes on with files of its own suite alone.
    const suites = [...new Set(files.map(({ project }) => project))];
    const place = ({ moduleId, project }: TestSpecification): number => {
      const at = LONGEST.indexOf(relative(project.config.root, moduleId));
      const behind = at < 0 ? LONGEST.length + suites.indexOf(project) : at;
      return 1000 * project.config.sequence.groupOrder + behind;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  resolve: {
    alias: [
      { find: /^pagepool$/, replacement: path('./test/support/whole-entry.mjs') },
      { find: /^pagepool\/([\w-]+)$/, replacement: path('./build/$1.js') },
    ],
  },
  test: {
    passWithNoTests: true,
    execArgv: ['--expose-gc'],
    sequence: { sequencer: LongestFirst },
    projects:
      process.env.LONG === '1'
        ? longProjects
        : [
            project('unit'),
            ownProcess(),
            project('property'),
            project('fuzz'),
            project('interleaving'),
            project('fault'),
            project('kernel'),
            project('stress'),
            project('user'),
            project('packet'),
            project('node'),
            project('webgpu'),
            project('browser'),
            packaged,
            alone('litmus'),
            alone('alone', ALONE),
          ],
  },
});
