// The scenarios of two threads on both engines at once, thread by thread in turns. The long run explores the others.

import { shortScenarios } from './lanes.js';
import { testScenarios } from './suite.js';

testScenarios('mixed', shortScenarios('mixed'), 'scenarios');
