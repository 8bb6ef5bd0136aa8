// The cases of examples.test.ts in Firefox: LONG=1 picks them.
import './examples.test.js';
