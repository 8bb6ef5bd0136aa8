// The suite of the device provider: the same cases on real devices in Node and in Chromium.
//
// No test runner, since pages run it as well: each case gets what the platform has and throws when something is wrong.

import { copyCases } from './suite/copies.js';
import { endCases } from './suite/endings.js';
import { handoverCases } from './suite/handovers.js';
import { pageCases } from './suite/pages.js';
import type { Case } from './suite/setting.js';
import { stagingCases } from './suite/staging.js';
import { travelCases } from './suite/travel.js';

export const suite: readonly Case[] = [
  ...pageCases,
  ...copyCases,
  ...stagingCases,
  ...handoverCases,
  ...travelCases,
  ...endCases,
];
