// Runs every suite and adds up: `npm test`, or with --long the longer ones. The last line is `N passed, N failed`.
//
// The build, the browsers, lint, types and gates count as one test each. A suite that ends badly without a failed test
// of its own (a file that does not load) counts as one failed test, and so does each error that no test caught; with
// CI=true so does every skipped test.

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { installing } from './installed.mjs';
import { builtSteps, lintSteps, toolchainStep } from './steps.mjs';
import { buildDir, packageJson, root, runNode, tools } from './support.mjs';

const isLong = process.argv.includes('--long');
const total = { passed: 0, failed: 0 };
/** What failed, a line each: said once more at the end, where the end of a long log is all that is kept. */
const failures = [];

function count(name, passed, failed) {
  total.passed += passed;
  total.failed += failed;
  console.log(`== ${name}: ${passed} passed, ${failed} failed`);
}

/**
 * @param {{ capture?: boolean }} [how] `capture`: what it prints comes in one piece, behind it, since others run
 *   meanwhile
 */
async function step(name, args, how = {}) {
  if (!how.capture) console.log(`\n== ${name}`);
  const { code, output } = await runNode(args, how);
  if (how.capture) console.log(`\n== ${name}\n${output.trimEnd()}`);
  count(name, code === 0 ? 1 : 0, code === 0 ? 0 : 1);
  if (code !== 0) failures.push(name);
  return code === 0;
}

const CAPTURED = { capture: true };

/** Runs the steps one after the other: the tests beside them have the other processors. */
async function steps(list) {
  for (const next of list) await step(...next, CAPTURED);
}

async function suite(name, args, env) {
  console.log(`\n== ${name}`);
  const report = join(buildDir, 'test-reports', `${name}.json`);
  mkdirSync(join(buildDir, 'test-reports'), { recursive: true });
  rmSync(report, { force: true });
  const ERRORS_REPORT = join(buildDir, 'test-reports', `${name}-errors.json`);
  rmSync(ERRORS_REPORT, { force: true });
  const reporters = [
    '--reporter=default',
    `--reporter=${join(root, 'scripts/errors-reporter.mjs')}`,
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const { code } = await runNode([tools.vitest, 'run', ...args, ...reporters], {
    env: { ...process.env, ...env, ERRORS_REPORT },
  });
  if (!existsSync(report)) {
    failures.push(`${name}: no report`);
    return count(name, 0, 1);
  }
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  const { uncaught, differences, unfinished } = existsSync(ERRORS_REPORT)
    ? JSON.parse(readFileSync(ERRORS_REPORT, 'utf8'))
    : { uncaught: ['no report of errors'], differences: {}, unfinished: [] };
  const unloaded = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
  for (const { name: path, status, message, assertionResults } of testResults) {
    const file = relative(root, path);
    const failed = assertionResults.filter((result) => result.status === 'failed');
    for (const { fullName, ancestorTitles, title, failureMessages } of failed) {
      const difference = differences[`${path} ${[...ancestorTitles, title].join(' > ')}`] ?? [];
      failures.push([`${file}: ${fullName}: ${firstLine(failureMessages[0])}`, ...difference].join('\n    '));
    }
    if (status === 'failed' && failed.length === 0) failures.push(`${file}: ${firstLine(message)}`);
    const left = assertionResults.filter((result) => !['passed', 'failed'].includes(result.status)).length;
    if (left > 0 && process.env.CI === 'true') failures.push(`${file}: ${left} skipped`);
  }
  for (const path of unfinished) failures.push(`${relative(root, path)}: its process ended before its tests had`);
  const skipped = numPendingTests + numTodoTests;
  if (skipped > 0) console.log(`${skipped} skipped`);
  let failed = numFailedTests + unloaded + (process.env.CI === 'true' ? skipped : 0);
  for (const error of uncaught) failures.push(`${name}: caught by no test: ${error}`);
  failed += uncaught.length;
  if (code !== 0 && failed === 0) {
    failures.push(`${name}: the runner ended with code ${code}`);
    failed = 1;
  }
  count(name, numPassedTests, failed);
}

function firstLine(message = '') {
  return message.split('\n', 1)[0];
}

const started = performance.now();
// What interleaving tests of earlier runs explored is not what these explore.
rmSync(join(buildDir, 'test-reports', 'interleaving'), { recursive: true, force: true });
if (await step('build', ['scripts/build.mjs'])) {
  // What is installed is mostly waited for, so tests that do not need it run meanwhile.
  const { env, done } = installing({
    browsers: () => step('browsers', ['scripts/browsers.mjs'], CAPTURED),
    toolchain: () => step(...toolchainStep, CAPTURED),
  });
  if (isLong) await Promise.all([done, suite('long', [], { ...env, LONG: '1' })]);
  else await Promise.all([done, steps([...builtSteps, ...lintSteps]), suite('tests', [], env)]);
  await step('schedules explored', ['scripts/docs-verification.mjs', '--check', '--print']);
}
console.log(`\n${packageJson.name} ${packageJson.version}: ${Math.round((performance.now() - started) / 1000)} s`);
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
