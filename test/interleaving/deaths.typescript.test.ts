// Scenarios on the rewritten TypeScript engine with a death at any point, and the shipped recovery as one more thread.

import { shortWithDeath } from './lanes.js';
import { reaped } from './reaping.js';
import { testScenarios } from './suite.js';

testScenarios(
  'typescript',
  shortWithDeath('typescript').map((scenario) => reaped(scenario, 1, 0)),
  'deaths',
);
