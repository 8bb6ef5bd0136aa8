// The longer churn of providers.test.ts: LONG=1 sets the time, npm run test:long picks this file.
import './providers.test.js';
