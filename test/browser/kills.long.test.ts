// The browsers that kills.test.ts leaves out: LONG=1 picks them. With TRIAL=1 all, and 300 kills in each.
import './kills.test.js';
