// Deaths with more preemptions, and deaths of reapers: more than the suites of every run have time for.

import { describe } from 'vitest';
import { ENGINES } from './engines.js';
import { reaped, reapedAfterwards } from './reaping.js';
import { scenarios } from './scenarios/all.js';
import { testScenarios } from './suite.js';

// Four threads and a reaper are too many with preemptions. The suites of every run have them, with a death and without.
const own = scenarios.filter(({ reaper, threads }) => reaper === undefined && threads <= 3);

describe.each(ENGINES)('%s', (engine) => {
  describe('reaped meanwhile', () => {
    testScenarios(
      engine,
      own.map((scenario) => reaped(scenario, 1, 1)),
      'long, a death',
    );
  });
  describe('reaped meanwhile, and the reaper dies', () => {
    testScenarios(
      engine,
      // TypeScript dies in more places: there three threads are too many.
      own.filter(({ threads }) => engine === 'wasm' || threads === 2).map((scenario) => reaped(scenario, 2, 0)),
      'long, two deaths',
    );
  });
  describe('reaped afterwards', () => {
    testScenarios(
      engine,
      own.map((scenario) => reapedAfterwards(scenario, 2)),
      'long, reaped afterwards',
    );
  });
});
