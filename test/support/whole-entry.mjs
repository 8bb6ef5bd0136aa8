// The whole package with both engines, all providers and leaks, under its own name: what tests and their threads import
// as `pagepool`. Programs of their own show what a pool does without them: test/unit/without-typescript.test.ts,
// test/unit/without-providers.test.ts, test/unit/without-leaks.test.ts.

import '../../build/leaks.js';
import '../../build/typescript.js';

export * from '../../build/index.js';
export * from '../../build/providers.js';
