// The exchange on a page that bundles nothing: `pagepool` comes from the page's import map.

import { PagePool } from 'pagepool';
import '../node_modules/pagepool/build/typescript.js';
import { publish, runPage } from './web-page.js';

publish(runPage(PagePool, () => new Worker(new URL('./unbundled-worker.js', import.meta.url), { type: 'module' })));
