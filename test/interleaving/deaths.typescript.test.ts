// Every scenario on the rewritten TypeScript engine with a death at any point, and the shipped recovery as one more
// thread.

import { reaped } from './reaping.js';
import { scenarios } from './scenarios/all.js';
import { testScenarios } from './suite.js';

const own = scenarios.filter(({ reaper }) => reaper === undefined);

testScenarios(
  'typescript',
  own.map((scenario) => reaped(scenario, 1, 0)),
  'deaths',
);
