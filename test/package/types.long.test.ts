// The compilers that types.test.ts leaves out: LONG=1 picks them.
import './types.test.js';
