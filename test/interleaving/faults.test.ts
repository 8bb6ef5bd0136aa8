// The explorer can find bugs: each seeded fault is caught by the scenario that names its place. `npm test` shows it of
// some of them, the long run of all.

import { afterAll, expect, test } from 'vitest';
import { isLong } from '../support/lane.js';
import { buildEngines } from './engines.js';
import { explore, trace } from './explorer.js';
import { engineOf, seededFaults } from './faults.js';
import { reaped } from './reaping.js';
import { describeCaught, describeFailure, Report } from './report.js';
import { scenarioNamed } from './scenarios/all.js';

const caught: string[] = [];
const report = new Report('faults', 'faults');
const faults = isLong ? seededFaults : seededFaults.filter((_, i) => i % 16 === 0);

test.each(faults)('caught in $fault.file: $name', async (fault) => {
  const { kills, bound = 0 } = fault;
  const named = scenarioNamed(fault.scenario);
  const scenario = kills === undefined ? named : reaped(named, kills, bound);
  const engine = engineOf(fault);
  const engines = await buildEngines(engine, { deaths: (scenario.kills ?? 0) > 0, faults: [fault.fault] });
  const exploration = explore(scenario, engines);
  const { failure } = exploration;
  expect(failure, `${scenario.name} passes with the fault`).toBeDefined();
  if (failure === undefined) return;
  const steps = trace(scenario, engines, failure.schedule);
  const told = describeFailure(exploration, steps, fault.name);
  expect(steps.at(-1), told).toContain(failure.message);
  caught.push(describeCaught(fault.name, exploration));
  report.addFault(fault.name, fault.fault.file, exploration);
});

afterAll(() => {
  if (isLong) report.write();
  console.log(`seeded faults caught: ${caught.length} of ${faults.length}\n${caught.join('\n')}`);
});
