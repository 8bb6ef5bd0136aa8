// Every scenario on one choice of engines, as tests: each end conserves every page, and each outcome is in its table.
//
// A file for each choice calls this, so that they run beside each other.

import { afterAll, expect, test } from 'vitest';
import { buildEngines, type EngineName } from './engines.js';
import { explore, type Scenario, trace } from './explorer.js';
import { describeFailure, neverReached, Report } from './report.js';

/** Tests of the scenarios on these engines, which leave what they explored for the table `group`. */
export function testScenarios(name: EngineName, scenarios: readonly Scenario[], group: string): void {
  const report = new Report(`${group.replaceAll(/\W+/g, '-')}.${name}`, group);

  for (const scenario of scenarios) {
    test(`${scenario.name}, ${name}: every order of its steps ends in a listed outcome`, async () => {
      const engines = await buildEngines(name, { deaths: (scenario.kills ?? 0) > 0 });
      const exploration = explore(scenario, engines);
      report.addExploration(exploration);
      const { failure } = exploration;
      if (failure !== undefined) {
        throw new Error(describeFailure(exploration, trace(scenario, engines, failure.schedule)));
      }
      expect(neverReached(exploration)).toEqual([]);
    });
  }

  afterAll(() => report.write());
}
