// Every seeded fault: LONG=1 picks all of them.
import './faults.test.js';
