// The whole package with both engines, for pages and workers that are told which one to use.

import '../pagepool/typescript.js';

export * from '../pagepool/index.js';
