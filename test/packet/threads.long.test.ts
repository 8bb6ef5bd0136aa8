// The threads that send each other packets, fifteen times as many.

import './threads.test.js';
