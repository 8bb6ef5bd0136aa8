// The storms of storms.test.ts with 200 deaths an engine: LONG=1 sets the number, npm run test:long picks this file.
import './storms.test.js';
