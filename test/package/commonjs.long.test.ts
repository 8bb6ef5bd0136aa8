// The compilers that commonjs.test.ts leaves out: LONG=1 picks them.
import './commonjs.test.js';
