// What a change has to pass before anybody looks at it: npm run check. It needs nothing but what `npm ci` brings.
//
// The build, the steps that check sources and build (steps.mjs), unit and property tests: under two minutes on two
// cores. What needs browsers, other runtimes, devices or many threads is in `npm test`. Everything runs, also when
// something fails, but nothing without a build.

import { builtSteps, lintSteps } from './steps.mjs';
import { runNode, tools } from './support.mjs';

const started = performance.now();
const failed = [];

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** Runs one part and says how it ended; what it printed only when it failed. */
async function part(name, args, options) {
  const since = performance.now();
  const { code, output } = await runNode(args, options);
  if (code !== 0) failed.push(name);
  console.log(`${code === 0 ? '' : output}== ${name}: ${code === 0 ? 'passed' : 'failed'}, ${seconds(since)}`);
  return code === 0;
}

/** Runs the steps that are left, one after the other. */
async function lane(left) {
  for (let step = left.shift(); step !== undefined; step = left.shift()) await part(...step, { capture: true });
}

if (await part('build', ['scripts/build.mjs'])) {
  const left = [...builtSteps, ...lintSteps];
  await Promise.all([lane(left), lane(left)]);
  const suites = ['unit', 'own-process', 'property'].flatMap((name) => ['--project', name]);
  // What passing tests print of themselves is for the whole run.
  await part('tests', [tools.vitest, 'run', ...suites, '--silent=passed-only']);
}
console.log(
  failed.length === 0 ? `all passed, ${seconds(started)}` : `failed: ${failed.join(', ')}; ${seconds(started)}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
