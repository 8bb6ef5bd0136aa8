// Shows one schedule step by step, the one that PAGEPOOL_SCHEDULE, PAGEPOOL_ENGINE and PAGEPOOL_FAULT name.

import { expect, test } from 'vitest';
import { breakCode } from './break-code.js';
import { buildEngines, ENGINES } from './engines.js';
import { explore, trace } from './explorer.js';
import { seededFaults } from './faults.js';
import { outerFaults } from './outer-faults.js';
import { reaped, reapedNamed } from './reaping.js';
import { scenarioNamed } from './scenarios/all.js';

const wanted = process.env.PAGEPOOL_SCHEDULE;

if (wanted !== undefined) {
  test('the wanted schedule, step by step', async () => {
    const [, name = '', schedule = ''] = wanted.match(/^(.*): *([\w.]*)$/) ?? [];
    const engine = ENGINES.find((known) => known === (process.env.PAGEPOOL_ENGINE ?? 'wasm'));
    if (engine === undefined)
      throw new Error(`PAGEPOOL_ENGINE=${process.env.PAGEPOOL_ENGINE} (expected ${ENGINES.join(', ')})`);
    const fault = seededFaults.find((seeded) => seeded.name === process.env.PAGEPOOL_FAULT);
    const outer = outerFaults.find((seeded) => seeded.name === process.env.PAGEPOOL_FAULT);
    const mend = outer === undefined ? () => {} : await breakCode(outer);
    const scenario = reapedNamed(name, scenarioNamed) ?? scenarioNamed(name);
    const faults = fault === undefined ? [] : [fault.fault];
    const engines = await buildEngines(engine, { deaths: (scenario.kills ?? 0) > 0, faults });
    console.log(trace(scenario, engines, schedule).join('\n'));
    mend();
  });
}

test.each(ENGINES)('a schedule of %s is shown again as it was found', async (engine) => {
  const scenario = { ...scenarioNamed('unpin against last release'), outcomes: {} };
  const engines = await buildEngines(engine);
  const { failure } = explore(scenario, engines);
  expect(trace(scenario, engines, failure?.schedule ?? '').at(-1)).toContain(failure?.message);
});

test('a schedule with deaths is shown again under the name that the table has', async () => {
  const name = 'last release against last release, with 2 deaths';
  const engines = await buildEngines('typescript', { deaths: true });
  const scenario = reaped(scenarioNamed('last release against last release'), 2, 0);
  const { failure } = explore({ ...scenario, outcomes: { 'nobody died': '' } }, engines);
  const shown = trace(reapedNamed(name, scenarioNamed)!, engines, failure?.schedule ?? '');
  expect(shown.some((line) => line.includes('dies in'))).toBe(true);
  expect(shown.at(-1)).toBe('outcome: balanced');
});
