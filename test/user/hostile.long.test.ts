// The hostile consumer of hostile.test.ts through more than ten million refills: LONG=1 sets the number, npm run
// test:long picks this file.
import './hostile.test.js';
