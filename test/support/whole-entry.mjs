// The whole package with all that it can load, under its own name: what tests and their threads import as `pagepool`.
// Programs of their own show what a pool does without each part: test/unit/without-*.test.ts.

import '../../build/typescript.js';

export * from '../../build/index.js';
