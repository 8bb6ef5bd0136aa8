// The random steps of model.test.ts, ten times as many pools: LONG=1 sets that, npm run test:long picks this file.
import './model.test.js';
