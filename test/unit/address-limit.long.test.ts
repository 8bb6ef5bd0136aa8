// The limits that address-limit.test.ts leaves out: LONG=1 picks them.
import './address-limit.test.js';
