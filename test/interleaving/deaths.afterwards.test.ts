// Every scenario on the model binary with a death at every atomic, and the shipped recovery when all others are done.

import { reapedAfterwards } from './reaping.js';
import { scenarios } from './scenarios/all.js';
import { testScenarios } from './suite.js';

const own = scenarios.filter(({ reaper }) => reaper === undefined);

testScenarios(
  'wasm',
  own.map((scenario) => reapedAfterwards(scenario, 1)),
  'reaped afterwards',
);
