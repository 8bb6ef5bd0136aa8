// Scenarios on the model binary of the Wasm core with a death at any point, and the shipped recovery as one more
// thread.

import { shortWithDeath } from './lanes.js';
import { reaped } from './reaping.js';
import { testScenarios } from './suite.js';

testScenarios(
  'wasm',
  shortWithDeath('wasm').map((scenario) => reaped(scenario, 1, 0)),
  'deaths',
);
