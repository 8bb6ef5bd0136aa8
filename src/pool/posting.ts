// What to post instead of the pool's objects, for whoever posts one of them.

import { type Unclonable, unclonable } from '../platform/shown.js';

export const FRAGMENT_NOT_POSTED: Unclonable = unclonable(
  'Fragment',
  'what lend() returns',
  'post fragment.lend(), and adopt() it there; or send it through a channel',
);
export const CHANNEL_NOT_POSTED: Unclonable = unclonable(
  'Channel',
  'what share() of the pool returns',
  'post pool.share(), and take channel(name) of the pool that attaches with it',
);
export const POOL_NOT_POSTED: Unclonable = unclonable(
  'PagePool',
  'what share() returns',
  'post pool.share(), and attach with it there: PagePool.attach(share)',
);
