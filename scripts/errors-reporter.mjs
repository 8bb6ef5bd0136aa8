// A reporter for the test runner: writes what the runner's JSON report leaves out to the file that ERRORS_REPORT names.
//
// `uncaught`: the errors that no test caught, a text each, with what caused it; the run fails for them. `differences`:
// test -> the lines in which what came differs from what was expected, of each test that failed by such a comparison.
// `unfinished`: the files whose process ended before their tests had.

import { writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

/** Lines of one difference: the first ones say what it is. */
const LINES_MAX = 24;

export default class ErrorsReporter {
  onTestRunEnd(modules, errors) {
    const uncaught = errors.map(({ name, message, stacks, cause }) => {
      const at = stacks?.[0];
      const where = at === undefined ? '' : ` (${at.file}:${at.line})`;
      const why = cause === undefined ? '' : `; its cause: ${firstLine(cause.message)}`;
      return `${name}: ${firstLine(message)}${where}${why}`;
    });
    const unfinished = modules
      .filter((module) => module.state() === 'pending' || module.state() === 'queued')
      .map(({ moduleId }) => moduleId);
    const differences = {};
    for (const module of modules) {
      for (const test of module.children.allTests('failed')) {
        const lines = test.result().errors.flatMap(({ diff }) => changedLines(diff));
        if (lines.length > 0) differences[`${module.moduleId} ${test.fullName}`] = lines.slice(0, LINES_MAX);
      }
    }
    writeFileSync(process.env.ERRORS_REPORT, JSON.stringify({ uncaught, differences, unfinished }));
  }
}

function firstLine(message) {
  return String(message).split('\n', 1)[0];
}

/** The lines of a diff that stand on one side alone, but for the two that name the sides. */
function changedLines(diff = '') {
  const lines = stripVTControlCharacters(diff).split('\n');
  return lines.filter((line) => /^[-+] /.test(line) && !/^[-+] (?:Expected|Received)$/.test(line));
}
