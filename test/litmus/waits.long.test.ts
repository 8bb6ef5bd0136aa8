// The shapes of waits.test.ts, eight times as often: LONG=1 says so, npm run test:long picks this file.
import './waits.test.js';
