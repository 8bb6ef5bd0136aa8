// The scenarios on the rewritten TypeScript engine, but for those that the long run explores.

import { shortScenarios } from './lanes.js';
import { testScenarios } from './suite.js';

testScenarios('typescript', shortScenarios('typescript'), 'scenarios');
