// Larger bounds and more deaths than the suites of every run have time for, and the scenarios that these leave out.

import { describe } from 'vitest';
import { ENGINES } from './engines.js';
import type { Scenario } from './explorer.js';
import { longScenarios } from './lanes.js';
import { scenarioNamed } from './scenarios/all.js';
import { wandering } from './scenarios/owner.js';
import { testScenarios } from './suite.js';

const larger: readonly Scenario[] = [
  {
    ...scenarioNamed('three ports allocate and release two pages, twice'),
    bounds: { wasm: 4, typescript: 4, mixed: 4 },
  },
  {
    ...scenarioNamed(
      'a port dies in alloc or release, and a toy reaps it, against a last release; and the reaper dies',
    ),
    kills: 4,
  },
  { ...scenarioNamed('two ports die, and toys reap them'), kills: 4 },
  wandering,
];

describe.each(ENGINES)('%s', (engine) => {
  testScenarios(engine, larger, 'long, larger bounds');
  testScenarios(engine, longScenarios(engine), 'long, scenarios');
});
