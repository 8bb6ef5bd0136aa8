// The headers that isolation.test.ts leaves out, in Firefox and WebKitGTK: LONG=1 picks them.
import './isolation.test.js';
