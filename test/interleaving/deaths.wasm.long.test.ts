// Scenarios on the model binary of the Wasm core with more deaths than the suites of every run have time for.

import { describe } from 'vitest';
import { longWithDeath } from './lanes.js';
import { testMoreDeaths } from './more-deaths.js';
import { reapedAfterwards } from './reaping.js';
import { testScenarios } from './suite.js';

testMoreDeaths('wasm');

describe('waits, reaped afterwards', () => {
  testScenarios(
    'wasm',
    longWithDeath('wasm').map((scenario) => reapedAfterwards(scenario, 1)),
    'long, waits, reaped afterwards',
  );
});
