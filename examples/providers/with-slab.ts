// Pages from big shared buffers, which are given back when they are not used.
//
//   npm run build && node scripts/run-ts.mjs examples/providers/with-slab.ts

import { slabs } from 'pagepool';
import { run } from './run.js';

await run(slabs({ slabBytes: 65536, keepBytes: 0 }));
