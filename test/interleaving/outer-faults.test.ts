// The explorer can find bugs around the engines: each seeded one is caught.
//
// In TypeScript: deaths before plain writes are what tells most of them.

import { afterAll, expect, test } from 'vitest';
import { breakCode } from './break-code.js';
import { buildEngines } from './engines.js';
import { explore, trace } from './explorer.js';
import { type OuterFault, outerFaults } from './outer-faults.js';
import { reaped } from './reaping.js';
import { describeCaught, Report } from './report.js';
import { scenarioNamed } from './scenarios/all.js';

const caught: string[] = [];
const report = new Report('outer-faults', 'faults');

function scenarioOf({ scenario, kills, bound = 0 }: OuterFault) {
  return kills === undefined ? scenarioNamed(scenario) : reaped(scenarioNamed(scenario), kills, bound);
}

test.each(outerFaults)('caught in $file: $name', async (fault) => {
  const scenario = scenarioOf(fault);
  const engines = await buildEngines('typescript', { deaths: (scenario.kills ?? 0) > 0 });
  expect(explore(scenario, engines).failure).toBeUndefined();
  const mend = await breakCode(fault);
  try {
    const exploration = explore(scenario, engines);
    const { failure } = exploration;
    expect(failure, `${scenario.name} passes with the fault`).toBeDefined();
    if (failure === undefined) return;
    expect(trace(scenario, engines, failure.schedule).at(-1)).toContain(failure.message);
    caught.push(describeCaught(fault.name, exploration));
    report.addFault(fault.name, fault.file, exploration);
  } finally {
    mend();
  }
});

afterAll(() => {
  report.write();
  console.log(
    `seeded faults around the engines caught: ${caught.length} of ${outerFaults.length}\n${caught.join('\n')}`,
  );
});
