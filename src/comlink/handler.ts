// A transfer handler for comlink: fragments as arguments and results of its calls, by their tokens.
//
// comlink itself is not imported: a handler is an object of three functions, which the program registers.

import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import { Fragment, type FragmentToken, portOfFragment } from '../pool/fragment.js';

/** What `Comlink.transferHandlers` takes. */
export interface FragmentTransferHandler {
  canHandle(value: unknown): value is Fragment;
  serialize(value: Fragment): [FragmentToken, never[]];
  deserialize(token: FragmentToken): Fragment;
}

/**
 * Lets fragments of the pool travel as arguments and results of comlink's calls: the fragment's reference goes along,
 * and the other side's `Fragment` has it. Register one on both sides, under the same name; each names the pool as its
 * own thread has it. Two locked operations a way. A token that nobody adopts, since the other thread ended or the call
 * could not be posted, stays out until `pool.reclaimTokens`.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when this is no pool; from comlink's calls what `lend` and `adopt`
 *   throw
 * @example
 * Comlink.transferHandlers.set('pagepool', fragmentHandler(pool));
 * const digest = await remote.digest(pool.take(4096)); // the worker releases it
 */
export function fragmentHandler(pool: AttachedPool): FragmentTransferHandler {
  const port = portOf('fragmentHandler', pool);
  return {
    canHandle: (value): value is Fragment => value instanceof Fragment && isOf(value),
    serialize: (fragment) => [fragment.lend(), []],
    deserialize: (token) => pool.adopt(token),
  };

  /** Fragments of other pools are for their own handlers. */
  function isOf(fragment: Fragment): boolean {
    return portOfFragment(fragment, 'postMessage') === port;
  }
}
