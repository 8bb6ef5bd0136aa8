// A hundred thousand entries and 60 deaths with each engine: LONG=1 sets the numbers, npm run test:long picks this
// file.
import './wakes.test.js';
