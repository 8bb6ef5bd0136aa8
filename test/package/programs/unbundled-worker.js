// The web Worker of a page that bundles nothing: import maps do not reach into workers, so the package is named by its
// URL.

import { PagePool } from '../node_modules/pagepool/build/index.js';
import '../node_modules/pagepool/build/typescript.js';
import { runWorker } from './web-thread.js';

runWorker(PagePool);
