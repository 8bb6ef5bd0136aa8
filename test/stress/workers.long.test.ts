// The stress of workers.test.ts, forty times as much: LONG=1 sets that, npm run test:long picks this file.
import './workers.test.js';
