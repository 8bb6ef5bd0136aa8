// The threads that send each other packets, ten times as long.

import './threads.test.js';
