// The stress of workers.test.ts, ten times longer: LONG=1 sets the length, npm run test:long picks this file.
import './workers.test.js';
