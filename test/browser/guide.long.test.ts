// The cases of guide.test.ts in Firefox: LONG=1 picks them.
import './guide.test.js';
