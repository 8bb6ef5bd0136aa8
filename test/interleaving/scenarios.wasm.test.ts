// The scenarios on the model binary of the Wasm core, but for those that the long run explores.

import { shortScenarios } from './lanes.js';
import { testScenarios } from './suite.js';

testScenarios('wasm', shortScenarios('wasm'), 'scenarios');
