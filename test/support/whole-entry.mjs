// The whole package with both engines, under its own name: what tests and their threads import as `pagepool`. A program
// of its own shows what a pool does without the TypeScript engine: test/unit/without-typescript.test.ts.

import '../../build/typescript.js';

export * from '../../build/index.js';
