// A reporter for the test runner: writes what the runner's JSON report leaves out to the file that ERRORS_REPORT names.
//
// `uncaught`: the errors that no test caught, a text each; the run fails for them. `differences`: test -> the lines in
// which what came differs from what was expected, of each test that failed by such a comparison.

import { writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

/** Lines of one difference: the first ones say what it is. */
const LINES_MAX = 24;

export default class ErrorsReporter {
  onTestRunEnd(modules, errors) {
    const uncaught = errors.map(({ name, message, stacks }) => {
      const at = stacks?.[0];
      const where = at === undefined ? '' : ` (${at.file}:${at.line})`;
      return `${name}: ${String(message).split('\n', 1)[0]}${where}`;
    });
    const differences = {};
    for (const module of modules) {
      for (const test of module.children.allTests('failed')) {
        const lines = test.result().errors.flatMap(({ diff }) => changedLines(diff));
        if (lines.length > 0) differences[`${module.moduleId} ${test.fullName}`] = lines.slice(0, LINES_MAX);
      }
    }
    writeFileSync(process.env.ERRORS_REPORT, JSON.stringify({ uncaught, differences }));
  }
}

/** The lines of a diff that stand on one side alone, but for the two that name the sides. */
function changedLines(diff = '') {
  const lines = stripVTControlCharacters(diff).split('\n');
  return lines.filter((line) => /^[-+] /.test(line) && !/^[-+] (?:Expected|Received)$/.test(line));
}
