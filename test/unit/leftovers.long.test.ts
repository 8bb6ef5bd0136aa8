// What 10,000 pools of each kind leave behind: LONG=1 sets the number, npm run test:long picks this file.
import './leftovers.test.js';
