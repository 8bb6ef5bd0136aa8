// The random sequences of property.test.ts, ten times as many: LONG=1 sets that, npm run test:long picks this file.
import './property.test.js';
