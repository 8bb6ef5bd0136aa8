// Scenarios on the model binary with a death at every atomic, and the shipped recovery when all others are done.

import { shortWithDeath } from './lanes.js';
import { reapedAfterwards } from './reaping.js';
import { testScenarios } from './suite.js';

testScenarios(
  'wasm',
  shortWithDeath('wasm').map((scenario) => reapedAfterwards(scenario, 1)),
  'reaped afterwards',
);
