// attach: how a thread joins a pool with what every thread needs, and no more.

import { type AttachedPoolOptions, resolveAttached } from './attach-options.js';
import { onPort } from './attached.js';
import { AttachedPool } from './attached-pool.js';
import { Attachment } from './attachment.js';
import type { PoolNames } from './names.js';
import type { NamesOf, PoolShare } from './share.js';
import { joinPool, loadedParts, Start } from './start.js';
import type { UnreadableCalls, UnreadableShare } from './unreadable.js';

/** An attached pool of memory that the processor cannot see. */
export interface UnreadableAttachedPool<Names extends PoolNames = PoolNames>
  extends Omit<AttachedPool<Names>, keyof UnreadableCalls | 'calls'>,
    UnreadableCalls<Names> {}

/** The pool that a share attaches to, with its names; one of any names where nothing is known of the share. */
export type AttachedPoolOf<Share extends PoolShare> = 0 extends 1 & Share
  ? AttachedPool // any
  : [Share] extends [never]
    ? AttachedPool
    : Share extends UnreadableShare
      ? UnreadableAttachedPool<NamesOf<Share>>
      : AttachedPool<NamesOf<Share>>;

/**
 * Joins a pool that another thread created; once per thread and pool. The share is compared with its memory first. What
 * a worker loads for that is a third of the package: `PagePool.attach` of pagepool attaches with all of it.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when this is no share, or this thread is attached already, or the
 *   pool needs pagepool/typescript or pagepool/areas, and this thread has not imported it; POOL_ERR_ABI_MISMATCH for
 *   another version's; POOL_ERR_CORRUPT when it does not fit its memory; POOL_ERR_NO_PORT when as many threads are
 *   attached as the pool has ports; POOL_ERR_CLOSING or POOL_ERR_DESTROYED when it is too late
 * @example
 * import { attach } from 'pagepool/attach';
 * onmessage = ({ data }) => {
 *   const pool = attach(data.share);
 *   const page = pool.alloc();
 *   if (page !== 0) pool.release(page);
 * };
 */
export function attach<Share extends PoolShare>(share: Share, options?: AttachedPoolOptions): AttachedPoolOf<Share> {
  const { label } = resolveAttached('attach', options);
  const joined = joinPool(share, label, loadedParts());
  const start = new Start(joined.port, (pool) => new Attachment(joined.port, joined.share, pool));
  return onPort(joined.port, () => new AttachedPool(start as never)) as AttachedPoolOf<Share>;
}
