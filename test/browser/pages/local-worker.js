// The same in a worker.

import { useLocally } from './local.js';

self.onmessage = async ({ data }) => self.postMessage(await useLocally(data));
