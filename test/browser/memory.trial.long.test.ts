// The same with pools of other kinds, and with a worker that waits or blocks when the page goes.
import './memory.test.js';
