// Every scenario on both engines at once, thread by thread in turns.

import { scenarios } from './scenarios/all.js';
import { testScenarios } from './suite.js';

testScenarios('mixed', scenarios, 'scenarios');
