// Every scenario.

import type { Scenario } from '../explorer.js';
import { callScenarios } from './calls.js';
import { deathScenarios } from './deaths.js';
import { endingScenarios } from './ending.js';
import { messageScenarios } from './messages.js';
import { ownerScenarios } from './owner.js';
import { recoveryScenarios } from './recovery.js';
import { referenceScenarios } from './references.js';
import { ringScenarios } from './rings.js';
import { supplyScenarios } from './supply.js';
import { waitingScenarios } from './waiting.js';

export const scenarios: readonly Scenario[] = [
  ...ringScenarios,
  ...messageScenarios,
  ...callScenarios,
  ...referenceScenarios,
  ...supplyScenarios,
  ...endingScenarios,
  ...ownerScenarios,
  ...recoveryScenarios,
  ...waitingScenarios,
  ...deathScenarios,
];

/** The scenario of that name. */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.filter((scenario) => scenario.name === name);
  if (found.length !== 1)
    throw new Error(`scenario=${name} (expected one of: ${scenarios.map((s) => s.name).join('; ')})`);
  return found[0]!;
}
