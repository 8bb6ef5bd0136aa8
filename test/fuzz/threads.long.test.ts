// The random programs of threads.test.ts, more and longer ones: LONG=1 sets both, npm run test:long picks this file.
import './threads.test.js';
