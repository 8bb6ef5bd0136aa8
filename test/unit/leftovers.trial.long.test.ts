// What 5000 pools of each kind leave behind, twice: LONG=1 sets the number (POOLS=2000 makes it 10,000), npm run
// test:long picks this file.
import './leftovers.test.js';
