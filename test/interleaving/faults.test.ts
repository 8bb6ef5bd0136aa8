// The explorer can find bugs: each seeded fault is caught by the scenario that names its place.

import { afterAll, expect, test } from 'vitest';
import { buildEngines } from './engines.js';
import { explore, trace } from './explorer.js';
import { engineOf, seededFaults } from './faults.js';
import { describeFailure } from './report.js';
import { scenarioNamed } from './scenarios/all.js';

const caught: string[] = [];

test.each(seededFaults)('caught in $fault.file: $name', async (fault) => {
  const scenario = scenarioNamed(fault.scenario);
  const engine = engineOf(fault);
  const engines = await buildEngines(engine, { deaths: (scenario.kills ?? 0) > 0, faults: [fault.fault] });
  const exploration = explore(scenario, engines);
  const { failure, runs } = exploration;
  expect(failure, `${scenario.name} passes with the fault`).toBeDefined();
  if (failure === undefined) return;
  const steps = trace(scenario, engines, failure.schedule);
  const told = describeFailure(exploration, steps, fault.name);
  expect(steps.at(-1), told).toContain(failure.message);
  caught.push(`${engine}: ${fault.name}\n    ${scenario.name}, run ${runs}, ${failure.schedule}: ${failure.message}`);
});

afterAll(() => console.log(`seeded faults caught: ${caught.length} of ${seededFaults.length}\n${caught.join('\n')}`));
