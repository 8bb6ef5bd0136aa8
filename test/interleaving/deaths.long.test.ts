// Deaths with more preemptions, and deaths of reapers: more than the suites of every run have time for.

import { describe } from 'vitest';
import { ENGINES } from './engines.js';
import { reaped, reapedAfterwards } from './reaping.js';
import { scenarios } from './scenarios/all.js';
import { callScenarios } from './scenarios/calls.js';
import { waitingScenarios } from './scenarios/waiting.js';
import { testScenarios } from './suite.js';

// Waits and calls have many steps: with a death, and without, the suites of every run have them.
const short = new Set([...waitingScenarios, ...callScenarios]);
const own = scenarios.filter((scenario) => scenario.reaper === undefined && !short.has(scenario));

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
