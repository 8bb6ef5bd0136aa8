// The threads of threads.test.ts with a million hand-offs: LONG=1 sets the number, npm run test:long picks this file.
import './threads.test.js';
