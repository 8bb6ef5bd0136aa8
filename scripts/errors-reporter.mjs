// A reporter for the test runner: writes the errors that no test caught to the file that ERRORS_REPORT names, a JSON
// array of texts. The run fails for them, and the runner's JSON report has none of them.

import { writeFileSync } from 'node:fs';

export default class ErrorsReporter {
  onTestRunEnd(_modules, errors) {
    const lines = errors.map(({ name, message, stacks }) => {
      const at = stacks?.[0];
      const where = at === undefined ? '' : ` (${at.file}:${at.line})`;
      return `${name}: ${String(message).split('\n', 1)[0]}${where}`;
    });
    writeFileSync(process.env.ERRORS_REPORT, JSON.stringify(lines));
  }
}
