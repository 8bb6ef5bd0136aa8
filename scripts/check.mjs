// What a change has to pass before anybody looks at it: npm run check. It needs nothing but what `npm ci` brings.
//
// Build, lint, types, unit and property tests: under two minutes on two cores. What needs browsers, other runtimes, devices or many
// threads is in `npm test`. Everything runs, also when something fails, but nothing without a build.

import { spawn } from 'node:child_process';
import { root, runNode, tools } from './support.mjs';

const started = performance.now();
const failed = [];

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** Runs one part and says how it ended. */
async function part(name, run) {
  const since = performance.now();
  const { code, output = '' } = await run();
  if (code !== 0) {
    failed.push(name);
    process.stdout.write(output);
  }
  console.log(`== ${name}: ${code === 0 ? 'passed' : 'failed'}, ${seconds(since)}`);
  return code === 0;
}

/** Runs a script of package.json; its exit code and what it printed. */
function npmRun(name) {
  return new Promise((done, fail) => {
    const child = spawn('npm', ['run', '--silent', name], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', fail);
    child.on('close', (code) => done({ code: code ?? 1, output }));
  });
}

if (await part('build', () => runNode(['scripts/build.mjs']))) {
  await Promise.all([
    part('lint', () => npmRun('lint')),
    part('types', () => runNode([tools.tsc, '--project', 'tsconfig.json'], { capture: true })),
  ]);
  const suites = ['--project', 'unit', '--project', 'property'];
  // The tests that pass say little: what they print of themselves is for the whole run.
  await part('tests', () => runNode([tools.vitest, 'run', ...suites, '--silent=passed-only']));
}
console.log(
  failed.length === 0 ? `all passed, ${seconds(started)}` : `failed: ${failed.join(', ')}; ${seconds(started)}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
