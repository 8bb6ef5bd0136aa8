// A page with an audio worklet, whose script is named as a worker's: what bundlers have to make of both.

import { workletUrl } from 'pagepool/web';
import { publish } from './web-page.js';
import { record } from './worklet-page.js';

const start = () => new Worker(new URL('./worklet-processor.js', import.meta.url), { type: 'module' });
publish(record(workletUrl(start)));
