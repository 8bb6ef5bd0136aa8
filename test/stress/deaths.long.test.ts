// The stress of deaths.test.ts with a thousand deaths an engine: LONG=1 sets the number, npm run test:long picks this
// file.
import './deaths.test.js';
