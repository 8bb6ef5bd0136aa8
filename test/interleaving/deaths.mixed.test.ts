// Scenarios on both engines at once with a death at any point, and the shipped recovery as one more thread.

import { shortWithDeath } from './lanes.js';
import { reaped } from './reaping.js';
import { testScenarios } from './suite.js';

testScenarios(
  'mixed',
  shortWithDeath('mixed').map((scenario) => reaped(scenario, 1, 0)),
  'deaths',
);
