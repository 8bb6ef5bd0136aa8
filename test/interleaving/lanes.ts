// Which explorations `npm test` has time for. The others are made by `npm run test:long`: each is made by one of both.

import type { EngineName } from './engines.js';
import type { Scenario } from './explorer.js';
import { scenarioNamed, scenarios } from './scenarios/all.js';
import { callScenarios } from './scenarios/calls.js';
import { waitingScenarios } from './scenarios/waiting.js';

const named = (...names: readonly string[]) => new Set(names.map(scenarioNamed));

/** A hundred thousand states and more with one death: as they are, `npm test` explores them on the core alone. */
const manyStates = named(
  'two send and two receive, capacity 1, full',
  'a taker that is done, and two that wait for that, one of which gives up',
  'two pages for two that need both, one after the other',
  'an entry and a page, one thread waits for either and one for the page',
  'one page for two that need two each',
  'two pages for one that needs both and one that needs one',
  'two pages that come home at once, and two that wait for one each',
  'a channel closed under two that wait, one of them chosen',
);

/** Deaths are part of them: they have as many. */
const withDeaths = named(
  'an entry for one of two that wait, and somebody dies',
  'an entry, and the thread that was chosen for it is busy for good',
  'a reaper that dies and is reaped, against late release',
);

const largest = named('a reaper that dies and is reaped, against late release; and the reaper of that one dies');

/** The long run explores them within larger bounds on every engine, and so not as they are. */
const boundedLater = named('three ports allocate and release two pages, twice');

/** Whether `npm test` explores the scenario as it is on the engine. */
function isShort(scenario: Scenario, engine: EngineName): boolean {
  if (largest.has(scenario) || boundedLater.has(scenario)) return false;
  if (withDeaths.has(scenario) || manyStates.has(scenario)) return engine === 'wasm';
  return engine !== 'mixed' || isPair(scenario);
}

/** Whether `npm test` has time for it on two engines at once. */
function isPair(scenario: Scenario): boolean {
  return scenario.threads === 2 && !manyStates.has(scenario);
}

/** The scenarios that `npm test` explores as they are. */
export function shortScenarios(engine: EngineName): Scenario[] {
  return scenarios.filter((scenario) => isShort(scenario, engine));
}

/** The rest of them. */
export function longScenarios(engine: EngineName): Scenario[] {
  return scenarios.filter((scenario) => !isShort(scenario, engine) && !boundedLater.has(scenario));
}

/** What may have a death more, and a reaper. */
export const mortal = scenarios.filter(({ reaper }) => reaper === undefined);

/** Whether `npm test` explores the scenario with one death. */
function isShortWithDeath(scenario: Scenario, engine: EngineName): boolean {
  return engine === 'mixed' ? isPair(scenario) : !manyStates.has(scenario);
}

/** The scenarios to which `npm test` adds one death. */
export function shortWithDeath(engine: EngineName): Scenario[] {
  return mortal.filter((scenario) => isShortWithDeath(scenario, engine));
}

const waits = new Set([...waitingScenarios, ...callScenarios]);

/**
 * Waits and calls have many steps: the long run adds one death to those of them that `npm test` leaves out. All
 * others it explores with more deaths or more preemptions, which is more than `npm test` does.
 */
export function longWithDeath(engine: EngineName): Scenario[] {
  return mortal.filter((scenario) => waits.has(scenario) && !isShortWithDeath(scenario, engine));
}

/** What the long run explores with more deaths, or more preemptions. */
export const withMoreDeaths = mortal.filter((scenario) => !waits.has(scenario));
