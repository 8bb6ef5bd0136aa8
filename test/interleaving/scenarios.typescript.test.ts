// Every scenario on the rewritten TypeScript engine.

import { scenarios } from './scenarios/all.js';
import { testScenarios } from './suite.js';

testScenarios('typescript', scenarios, 'scenarios');
