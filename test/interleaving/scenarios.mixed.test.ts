// The scenarios on both engines at once, thread by thread in turns, but for those that the long run explores.

import { shortScenarios } from './lanes.js';
import { testScenarios } from './suite.js';

testScenarios('mixed', shortScenarios('mixed'), 'scenarios');
