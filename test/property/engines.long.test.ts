// The random calls of engines.test.ts, eight times as many programs: npm run test:long sets LONG=1 and picks this file.
import './engines.test.js';
