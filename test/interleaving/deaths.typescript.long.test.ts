// Scenarios on the rewritten TypeScript engine with more deaths than the suites of every run have time for.

import { testMoreDeaths } from './more-deaths.js';

testMoreDeaths('typescript');
