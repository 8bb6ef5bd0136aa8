// The longer churn of providers.test.ts: LONG=1 sets the kills, npm run test:long picks this file.
import './providers.test.js';
