// Gives back what comes, and answers the call behind the first of it.

import { PagePool } from './both.js';

self.onmessage = async ({ data: share }) => {
  const pool = PagePool.attach(share);
  self.onmessage = () => {
    pool.detach();
    self.postMessage('left');
  };
  self.postMessage('ready');
  const fragment = await pool.channel('work').next();
  fragment.bytes[0] = 7;
  pool.channel('back').sendFragment(fragment);
  const end = new AbortController();
  await pool
    .calls('ask')
    .serve(
      ({ reply }) => {
        reply.bytes[0] = 9;
        setTimeout(() => end.abort());
        return 8;
      },
      { signal: end.signal },
    )
    .catch(() => {});
};
