// Starts a worker of its own, which works on the pool; only this one knows of it, and passes on what it says.

import { PagePool } from './both.js';
import { startWorker } from './threads.js';

self.onmessage = ({ data }) => {
  const pool = PagePool.attach({ ...data.share, engine: data.engine });
  const worker = startWorker('churn-worker.js');
  pool.watch(worker);
  worker.onmessage = ({ data: said }) => {
    if (said.total === undefined) return;
    pool.detach();
    self.postMessage(said);
  };
  worker.onerror = ({ message }) => self.postMessage({ failure: message });
  worker.postMessage(data);
};
