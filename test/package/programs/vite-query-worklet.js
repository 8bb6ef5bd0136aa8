// The same with a worker imported the way that Vite offers beside the standard one: `?worker`.

import { workletUrl } from 'pagepool/web';
import { publish } from './web-page.js';
import { record } from './worklet-page.js';
import Processor from './worklet-processor.js?worker';

publish(record(workletUrl(() => new Processor())));
