// The whole package, under its own name: what tests and their threads import as `pagepool`. Programs of pagepool/lean
// show what a pool does without each part: test/unit/without-*.test.ts.

export * from '../../build/index.js';
