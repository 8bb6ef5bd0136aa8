// The whole package with all that it can load, for pages and workers that are told what to use of it.

import '../pagepool/calls.js';
import '../pagepool/leaks.js';
import '../pagepool/typescript.js';

export * from '../pagepool/index.js';
export * from '../pagepool/providers.js';
