// The explorer can find bugs around the engines: each seeded one is caught.
//
// In TypeScript: deaths before plain writes are what shows most of them. Without its fault a scenario passes: the files
// scenarios.typescript and deaths.typescript explore that, and this one what they leave out, once.

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
/** Scenarios that pass without a fault, of those that no other file explores. */
const sound = new Set<string>();

function scenarioOf({ scenario, kills, bound = 0 }: OuterFault) {
  return kills === undefined ? scenarioNamed(scenario) : reaped(scenarioNamed(scenario), kills, bound);
}

/** Whether deaths.typescript or scenarios.typescript explore the same. */
function isExplored({ scenario, kills, bound = 0 }: OuterFault): boolean {
  return kills === undefined || (kills === 1 && bound === 0 && scenarioNamed(scenario).reaper === undefined);
}

/** The last line of a schedule, or why it cannot be played. */
function endOf(...[scenario, engines, schedule]: Parameters<typeof trace>): string {
  try {
    return trace(scenario, engines, schedule).at(-1) ?? '';
  } catch (error) {
    return String(error);
  }
}

test.each(outerFaults)('caught in $file: $name', async (fault) => {
  const scenario = scenarioOf(fault);
  const engines = await buildEngines('typescript', { deaths: (scenario.kills ?? 0) > 0 });
  const key = `${scenario.name} ${scenario.bound}`;
  if (!isExplored(fault) && !sound.has(key)) {
    expect(explore(scenario, engines).failure).toBeUndefined();
    sound.add(key);
  }
  const mend = await breakCode(fault);
  let found: { schedule: string; message: string } | undefined;
  try {
    const exploration = explore(scenario, engines);
    const { failure } = exploration;
    expect(failure, `${scenario.name} passes with the fault`).toBeDefined();
    if (failure === undefined) return;
    expect(trace(scenario, engines, failure.schedule).at(-1)).toContain(failure.message);
    found = failure;
    caught.push(describeCaught(fault.name, exploration));
    report.addFault(fault.name, fault.file, exploration);
  } finally {
    mend();
  }
  // The fault is out again: the same steps end otherwise.
  expect(endOf(scenario, engines, found.schedule)).not.toContain(found.message);
});

afterAll(() => {
  report.write();
  console.log(
    `seeded faults around the engines caught: ${caught.length} of ${outerFaults.length}\n${caught.join('\n')}`,
  );
});
