// The border as a worker sees it.

import { PagePool } from '../pagepool/index.js';
import { tryHelpers, verdicts } from './border.js';

self.onmessage = async ({ data: share }) => {
  const pool = PagePool.attach(share);
  const rounds = await tryHelpers(pool);
  const found = await verdicts();
  pool.detach();
  self.postMessage({ rounds, found });
};
