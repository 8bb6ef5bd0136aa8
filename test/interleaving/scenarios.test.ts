// Every scenario, on the code as it is: each end conserves every page, and each outcome is in its table.

import { afterAll, expect, test } from 'vitest';
import { buildModel } from './build-model.js';
import { type Exploration, explore, trace } from './explorer.js';
import { seededFaults } from './faults.js';
import { describeFailure, neverReached, summary } from './report.js';
import { scenarioNamed, scenarios } from './scenarios/all.js';

const wanted = process.env.PAGEPOOL_SCHEDULE;

if (wanted !== undefined) {
  test('the wanted schedule, step by step', async () => {
    const [, name = '', schedule = ''] = wanted.match(/^(.*): *(\w*)$/) ?? [];
    const fault = seededFaults.find((seeded) => seeded.name === process.env.PAGEPOOL_FAULT);
    const module = await buildModel(fault === undefined ? [] : [fault.patch]);
    console.log(trace(scenarioNamed(name), module, schedule).join('\n'));
  });
} else {
  const explorations: Exploration[] = [];

  test.each(scenarios)('$name: every order of its steps ends in a listed outcome', async (scenario) => {
    const module = await buildModel();
    const exploration = explore(scenario, module);
    explorations.push(exploration);
    const { failure } = exploration;
    if (failure !== undefined) {
      throw new Error(describeFailure(exploration, trace(scenario, module, failure.schedule)));
    }
    expect(neverReached(exploration)).toEqual([]);
  });

  afterAll(() => console.log(summary(explorations)));
}
