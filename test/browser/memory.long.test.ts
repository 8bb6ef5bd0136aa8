// The browser that memory.test.ts leaves out: LONG=1 picks it. With TRIAL=1 both, with pools of other kinds, and with a
// worker that waits or blocks when the page goes.
import './memory.test.js';
