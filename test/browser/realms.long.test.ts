// The cases of realms.test.ts in Firefox: LONG=1 picks them.
import './realms.test.js';
