// The exchange with a web Worker started the standard way, which bundlers recognise: new Worker(new URL(...), { type:
// 'module' }).

import { PagePool } from 'pagepool';
import 'pagepool/typescript';
import { publish, runPage } from './web-page.js';

publish(runPage(PagePool, () => new Worker(new URL('./web-worker.js', import.meta.url), { type: 'module' })));
