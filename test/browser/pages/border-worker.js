// The border as a worker sees it.

import { tryHelpers, verdicts } from './border.js';
import { PagePool } from './both.js';

self.onmessage = async ({ data: share }) => {
  const pool = PagePool.attach(share);
  const rounds = await tryHelpers(pool);
  const found = await verdicts();
  pool.detach();
  self.postMessage({ rounds, found });
};
