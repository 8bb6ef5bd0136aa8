// Every scenario on the model binary of the Wasm core.

import { scenarios } from './scenarios/all.js';
import { testScenarios } from './suite.js';

testScenarios('wasm', scenarios, 'scenarios');
