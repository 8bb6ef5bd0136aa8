// The exchange with a worker imported the way that Vite offers beside the standard one: `?worker`.

import { PagePool } from 'pagepool';
import 'pagepool/typescript';
import { publish, runPage } from './web-page.js';
import ExchangeWorker from './web-worker.js?worker';

publish(runPage(PagePool, () => new ExchangeWorker()));
