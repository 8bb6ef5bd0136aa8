// Hands its message to a worker of its own, and that one's answer back.

import { runWorker } from './threads.js';

self.onmessage = async ({ data }) => self.postMessage(await runWorker('echo-worker.js', data));
