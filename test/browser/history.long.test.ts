// The cases of history.test.ts in Firefox: LONG=1 picks them.
import './history.test.js';
