// The versions of Node that jest.test.ts leaves out: LONG=1 picks them.
import './jest.test.js';
