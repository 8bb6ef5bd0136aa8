// The versions of Node that runtimes.test.ts leaves out: LONG=1 picks them.
import './runtimes.test.js';
