// The cases of user-area.test.ts in Firefox: LONG=1 picks them.
import './user-area.test.js';
