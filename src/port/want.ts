// Where a call looks further that found no page: one order for all of them.
//
// The port's own thread only. What is looked for may be in the open fragment page of this very thread, or with a
// provider.

import { leaveWant, ringOwner } from '../control/owner.js';
import { returnIdleFragmentPage } from './fragment-page.js';
import type { Port } from './port.js';

/** The open fragment page of this thread, when nobody holds a fragment of it. */
export const OWN_PAGE = 1;
/** The provider, which is asked for more. */
export const PROVIDER = 2;

/**
 * Looks further for `count` pages, in `places`: a sum of OWN_PAGE and PROVIDER. Where it is worth looking again now, or
 * 0.
 *
 * @throws PagePoolError POOL_ERR_PROVIDER when this thread is the owner, and the provider failed
 */
export function seekPages(port: Port, call: string, count: number, places = OWN_PAGE + PROVIDER): number {
  if ((places & OWN_PAGE) !== 0 && returnIdleFragmentPage(port)) return OWN_PAGE;
  return (places & PROVIDER) !== 0 && want(port, call, count) ? PROVIDER : 0;
}

/**
 * Asks the provider for `count` pages, at least a magazine. True: this thread is the owner, and there may be pages now.
 */
function want(port: Port, call: string, count: number): boolean {
  const { areas, geometry, supply } = port;
  if (areas === undefined) return false;
  areas.follow();
  const isNew = leaveWant(port, Math.max(count, geometry.magazineCapacity));
  if (supply !== undefined) return supply.serve(call);
  if (isNew) ringOwner(port);
  return false;
}
