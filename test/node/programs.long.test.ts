// The programs of programs.test.ts on the versions of Node between the own and the newest: LONG=1 picks them.
import './programs.test.js';
