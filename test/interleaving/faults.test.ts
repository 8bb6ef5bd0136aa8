// The explorer can find bugs: each seeded fault is caught by the scenario that names its place.

import { afterAll, expect, test } from 'vitest';
import { buildModel } from './build-model.js';
import { explore, trace } from './explorer.js';
import { seededFaults } from './faults.js';
import { describeFailure } from './report.js';
import { scenarioNamed } from './scenarios/all.js';

const caught: string[] = [];

test.each(seededFaults)('caught: $name', async ({ name, patch, scenario }) => {
  const module = await buildModel([patch]);
  const exploration = explore(scenarioNamed(scenario), module);
  const { failure, runs } = exploration;
  expect(failure, `${scenario} passes with the fault`).toBeDefined();
  if (failure === undefined) return;
  const steps = trace(scenarioNamed(scenario), module, failure.schedule);
  const told = describeFailure(exploration, steps, name);
  expect(steps.at(-1), told).toContain(failure.message);
  caught.push(`${name}\n    ${scenario}, run ${runs}, ${failure.schedule}: ${failure.message}`);
});

afterAll(() => console.log(`seeded faults caught: ${caught.length} of ${seededFaults.length}\n${caught.join('\n')}`));
