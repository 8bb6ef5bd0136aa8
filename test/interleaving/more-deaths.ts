// Deaths with more preemptions, and deaths of reapers: more than the suites of every run have time for.
//
// A file for each choice of engines calls this, so that they run beside each other.

import { describe } from 'vitest';
import type { EngineName } from './engines.js';
import { longWithDeath, withMoreDeaths } from './lanes.js';
import { reaped, reapedAfterwards } from './reaping.js';
import { testScenarios } from './suite.js';

/** Tests of the long run with deaths, on these engines. */
export function testMoreDeaths(engine: EngineName): void {
  describe('reaped meanwhile', () => {
    testScenarios(
      engine,
      withMoreDeaths.map((scenario) => reaped(scenario, 1, 1)),
      'long, a death',
    );
  });
  describe('reaped meanwhile, and the reaper dies', () => {
    testScenarios(
      engine,
      // TypeScript dies in more places: there three threads are too many.
      withMoreDeaths
        .filter(({ threads }) => engine === 'wasm' || threads === 2)
        .map((scenario) => reaped(scenario, 2, 0)),
      'long, two deaths',
    );
  });
  describe('reaped afterwards', () => {
    testScenarios(
      engine,
      withMoreDeaths.map((scenario) => reapedAfterwards(scenario, 2)),
      'long, reaped afterwards',
    );
  });
  describe('waits and calls', () => {
    testScenarios(
      engine,
      longWithDeath(engine).map((scenario) => reaped(scenario, 1, 0)),
      'long, waits and calls, a death',
    );
  });
}
