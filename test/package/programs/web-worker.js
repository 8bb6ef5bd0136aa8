// The web Worker of web-main.js.

import { PagePool } from 'pagepool';
import { runWorker } from './web-thread.js';

runWorker(PagePool);
