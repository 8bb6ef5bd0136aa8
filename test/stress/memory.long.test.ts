// The memory of 200 closed pools: LONG=1 sets the number, npm run test:long picks this file.
import './memory.test.js';
